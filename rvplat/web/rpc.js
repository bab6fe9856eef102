// The machine API over a websocket: calls, batches, events (docs/reference/api.md).

export class Refused extends Error {}

/** One connection. `onEvent(name, params)` gets events, `onClose(text)` the end. */
export class Api {
  constructor(onEvent, onClose) {
    this.onEvent = onEvent;
    this.onClose = onClose;
    this.waiting = new Map();
    this.number = 0;
    this.why = "";
  }

  /** Connect, and say the token; gives what `hello` answers. */
  open(token) {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(`ws://${location.host}/api`);
      this.socket.onopen = () => this.call("hello", { token }).then(resolve, (error) => {
        this.why = error.message;
        reject(error);
      });
      this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
      this.socket.onclose = () => {
        for (const { reject: refuse } of this.waiting.values()) refuse(new Refused("disconnected"));
        this.waiting.clear();
        this.onClose(this.why);
        reject(new Refused("the connection was closed"));
      };
    });
  }

  take(message) {
    if (Array.isArray(message)) {
      message.forEach((one) => this.take(one));
    } else if (message.id !== undefined && message.id !== null) {
      const found = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error) found?.reject(new Refused(message.error.message));
      else found?.resolve(message.result);
    } else if (message.method) {
      this.onEvent(message.method, message.params);
    }
  }

  request(method, params) {
    this.number += 1;
    const id = this.number;
    const reply = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    return [{ jsonrpc: "2.0", id, method, params }, reply];
  }

  /** Call a method. Refused if the answer is an error. */
  call(method, params = {}) {
    const [request, reply] = this.request(method, params);
    this.socket.send(JSON.stringify(request));
    return reply;
  }

  /** Several calls of one moment: [[method, params], ...]. An error stands where its result would. */
  batch(calls) {
    const made = calls.map(([method, params]) => this.request(method, params ?? {}));
    this.socket.send(JSON.stringify(made.map(([request]) => request)));
    return Promise.all(made.map(([, reply]) => reply.catch((error) => error)));
  }
}
