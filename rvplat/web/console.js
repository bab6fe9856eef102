// Consoles: a terminal of xterm.js, with the chosen console's output.
import { byId, bytes, el, hex } from "./dom.js";

function terminal(place, dark, onInput) {
  let component = null;
  globalThis.trame_xterm.install({ component: (name, found) => { component = component ?? found; } });
  const theme = dark
    ? { background: "#14181d", foreground: "#d6dde4", cursor: "#8fb8e8", selectionBackground: "#33485f" }
    : { background: "#fbfbf9", foreground: "#24292f", cursor: "#2b6cb0", selectionBackground: "#cfe0f3",
        black: "#24292f", white: "#57606a", brightWhite: "#24292f", yellow: "#8a6100", brightYellow: "#8a6100" };
  const options = { theme, fontSize: 12, scrollback: 5000, convertEol: true,
                    fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" };
  const made = component.setup({ options, listen: ["input"] }, {
    emit: (event, value) => { if (event === "input") onInput(value); },
    expose: () => {},
  });
  made.elem.value = place;
  globalThis.rvplatMounted.splice(0).forEach((call) => call());
  return made;
}

export class Consoles {
  constructor(api, say) {
    this.api = api;
    this.say = say;
    this.name = null;
    this.made = null;
    this.ready = false;
  }

  async open() {
    const list = await this.api.call("consoles.list");
    const choice = byId("console-name");
    choice.replaceChildren(...list.map((one) => el("option", { value: one.name, selected: one.main }, one.name)));
    choice.hidden = list.length < 2;
    choice.onchange = () => this.show(choice.value);
    if (!list.length) return;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    this.made = terminal(byId("terminal"), dark, (text) => this.type(text));
    await this.show((list.find((one) => one.main) ?? list[0]).name);
  }

  async show(name) {
    this.name = name;
    this.ready = false;
    this.made.reset();
    const output = await this.api.call("consoles.output", { console: name });
    this.made.write(bytes(output));
    this.ready = true;
  }

  wrote({ console: name, data }) {
    if (name !== this.name || !this.made) return;
    if (this.ready) this.made.write(bytes(data));
  }

  type(text) {
    this.api.call("consoles.send", { console: this.name, data: hex(new TextEncoder().encode(text)) })
      .catch((error) => this.say(error.message));
  }
}
