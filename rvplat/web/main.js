// The page: connects, keeps what is shown up to date, and does what the buttons say.
import { Code } from "./code.js";
import { Consoles } from "./console.js";
import { Devices, Interrupts } from "./devices.js";
import { byId, el, fault } from "./dom.js";
import { Harts, Registers } from "./harts.js";
import { Memory, Walk } from "./memory.js";
import { Api } from "./rpc.js";
import { Statistics, Timeline } from "./timeline.js";

const SAMPLE_S = 0.1;
const LOOK_MS = 1000; // between two looks of a panel at a machine that runs
const TOKEN = "rvplat token";

class App {
  constructor() {
    this.hart = 0;
    this.running = false;
    this.sample = null;
    this.shown = 0;
    this.busy = false;
    this.api = new Api((name, params) => this.event(name, params), (why) => this.closed(why));
    this.harts = new Harts(this);
    this.code = new Code(this);
    this.consoles = new Consoles(this.api, (text) => this.say(text));
    this.timeline = new Timeline(this);
    this.views = {
      Registers: new Registers(this), Memory: new Memory(this), Walk: new Walk(this), Devices: new Devices(this),
      Interrupts: new Interrupts(this), Timeline: this.timeline, Statistics: new Statistics(this),
    };
  }

  async start() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      sessionStorage.setItem(TOKEN, given);
      history.replaceState(null, "", location.pathname);
    }
    this.token = given ?? sessionStorage.getItem(TOKEN) ?? "";
    const hello = await this.api.open(this.token);
    byId("board").textContent = hello.board;
    this.buttons();
    await this.api.call("events.subscribe", { events: ["state", "console", "sample"], period_s: SAMPLE_S });
    await this.consoles.open();
    this.past = await this.api.call("history.state");
    this.choose(0);
    this.state(hello.state);
    this.open("Registers");
  }

  buttons() {
    const bind = (id, call) => byId(id).addEventListener("click", call);
    bind("run", () => this.act(this.running ? "machine.pause" : "machine.run"));
    bind("step", () => this.act("machine.step", { hart: this.hart }));
    bind("back", () => this.act("history.step", { hart: this.hart }));
    bind("reverse", () => (this.busy ? this.cancel() : this.act("history.continue")));
    bind("reset", () => this.act("machine.reset"));
    document.addEventListener("keydown", (event) => {
      const keys = { F8: "run", F10: event.shiftKey ? "back" : "step" };
      if (!keys[event.key]) return;
      event.preventDefault();
      byId(keys[event.key]).click();
    });
    const tabs = Object.keys(this.views).map((name) => (
      el("button", { role: "tab", "data-tab": name, onclick: () => this.open(name) }, name)));
    byId("tabs").replaceChildren(...tabs);
  }

  /** Call a method for the user, and show why it is refused. */
  async act(method, params = {}) {
    this.busy = method === "history.continue";
    byId("reverse").textContent = this.busy ? "Cancel" : "Run back";
    try {
      return await this.api.call(method, params);
    } catch (error) {
      this.say(error.message);
      return null;
    } finally {
      this.busy = false;
      byId("reverse").textContent = "Run back";
    }
  }

  /** End a way back. A connection's requests are served in order, so it takes another one. */
  async cancel() {
    const other = new Api(() => {}, () => {});
    await other.open(this.token);
    await other.call("history.cancel");
    other.socket.close();
  }

  event(name, params) {
    if (name === "state") this.state(params);
    else if (name === "console") this.consoles.wrote(params);
    else if (name === "sample") this.sampled(params);
  }

  state(found) {
    const changed = this.running !== (found.state === "running");
    this.running = found.state === "running";
    this.off = found.state === "off";
    const pill = byId("state");
    pill.textContent = found.state;
    pill.className = `pill ${found.state}`;
    byId("run").textContent = this.running ? "Pause" : "Run";
    byId("reason").textContent = found.text;
    byId("reason").title = found.text;
    this.enable();
    if (!this.running || changed) this.refresh();
  }

  enable() {
    const past = this.past && !this.past.problem;
    byId("run").disabled = this.off;
    byId("step").disabled = this.running || this.off;
    byId("reset").disabled = this.running;
    for (const id of ["back", "reverse"]) {
      byId(id).disabled = this.running || !past;
      if (this.past?.problem) byId(id).title = this.past.problem;
    }
  }

  sampled(sample) {
    sample.wall = performance.now();
    const before = this.sample;
    this.sample = sample;
    this.harts.show(sample, before);
    this.timeline.add(sample, before);
    byId("time").textContent = `${sample.time.guest_s.toFixed(3)} s, ${sample.time.instructions.toLocaleString("en")} instructions`;
    if (this.running && this.tab === "Timeline") this.timeline.show(this.place);
    if (this.running && performance.now() - this.shown > LOOK_MS) this.look();
  }

  /** Look at a machine that stands still: everything. */
  async refresh() {
    try {
      const sample = await this.api.call("harts.list");
      this.sampled(sample);
      await this.look();
    } catch (error) {
      if (!byId("state").classList.contains("gone")) this.say(error.message);
    }
  }

  /** Bring the panels up to date. A look that is not done yet is not begun again. */
  async look() {
    if (this.looking) {
      this.again = true;
      return;
    }
    this.looking = true;
    try {
      do {
        this.again = false;
        await this.code.show();
        await this.view();
      } while (this.again && !this.running);
    } finally {
      this.shown = performance.now();
      this.looking = false;
    }
  }

  async view() {
    const place = this.place; // of this tab alone: a look that ends late can't spoil another's
    try {
      await this.views[this.tab]?.show(place);
    } catch (error) {
      place.replaceChildren(fault(error));
    }
  }

  open(name) {
    this.tab = name;
    for (const one of byId("tabs").children) one.setAttribute("aria-selected", String(one.dataset.tab === name));
    this.place = el("div");
    byId("view").replaceChildren(this.place);
    byId("view").dataset.tab = name;
    this.view();
  }

  choose(hart) {
    this.hart = hart;
    this.refresh();
  }

  /** The worlds that have run, besides the host. */
  guests() {
    return [...new Set((this.sample?.harts ?? []).flatMap((one) => Object.keys(one.by_world)))].filter((one) => one !== "host");
  }

  /** An address as the API takes it; a register's name stands for its value. */
  async address(text) {
    if (/^(pc|[astf][0-9]+|x[0-9]+|sp|ra|gp|tp|fp|[msvh][a-z]*(epc|tval|tvec)|h?gatp)$/.test(text)) {
      const found = await this.api.call("registers.read", { hart: this.hart, names: [text] });
      return found[text];
    }
    return text;
  }

  say(text) {
    const message = byId("message");
    message.textContent = text;
    message.hidden = false;
    clearTimeout(this.hiding);
    this.hiding = setTimeout(() => { message.hidden = true; }, 6000);
  }

  closed(why) {
    const pill = byId("state");
    pill.textContent = "disconnected";
    pill.className = "pill gone";
    for (const one of document.querySelectorAll(".buttons button")) one.disabled = true;
    byId("reason").textContent = why || "rvplat has ended, or dropped this page";
  }
}

const app = new App();
globalThis.rvplat = app;
app.start().catch((error) => {
  byId("reason").textContent = `${error.message}: open the address that rvplat has printed`;
});
