// Disassembly with source lines, around the pc or from an address on; breakpoints by a click.
import { byId, el, fault } from "./dom.js";

const BEFORE = 8;
const AFTER = 48;

export class Code {
  constructor(app) {
    this.app = app;
    this.address = null; // null: it follows the pc
    byId("code-go").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = byId("code-address").value.trim();
      this.address = text === "" || text === "pc" ? null : text;
      this.show();
    });
  }

  async show() {
    const { api, hart } = this.app;
    const params = { hart, count: AFTER };
    if (this.address === null) params.before = BEFORE;
    else params.address = this.address;
    const [found, points, registers] = await api.batch([
      ["code.disassemble", params], ["points.list"], ["registers.read", { hart, names: ["pc"] }],
    ]);
    const place = byId("code");
    if (found instanceof Error) {
      place.replaceChildren(fault(found));
      byId("code-where").textContent = "";
      return;
    }
    const pc = registers.pc;
    const stops = new Map(Array.isArray(points) ? points.map((one) => [one.address, one]) : []);
    const rows = [];
    let last = "";
    let symbol = "";
    for (const one of found) {
      const base = one.symbol.replace(/\+0x.*/, "");
      if (base && base !== symbol) rows.push(el("div.symbol", `${base}:`));
      symbol = base;
      const source = one.line ? `${one.file}:${one.line}` : "";
      if (source && source !== last && one.source.trim()) {
        rows.push(el("div.source", el("span.line", { title: source }, String(one.line)), one.source));
      }
      last = source || last;
      rows.push(this.line(one, pc, stops.get(one.address)));
    }
    place.replaceChildren(...rows);
    const here = found.find((one) => one.address === pc) ?? found[0];
    byId("code-where").textContent = here.line ? `${here.file.replace(/.*\//, "")}:${here.line}` : here.symbol;
    if (this.address === null) place.querySelector(".here")?.scrollIntoView({ block: "center" });
    else place.scrollTop = 0;
  }

  line(one, pc, stop) {
    const [mnemonic, ...operands] = one.text.split(" ");
    const made = el("div.instruction", el("button.stop", { title: stop ? `breakpoint ${stop.number}: remove it` : "set a breakpoint",
      onclick: () => this.toggle(one, stop) }, stop ? "\u25cf" : "\u00b7"),
    el("span.address", one.address), el("span.bits", one.bits), el("span.mnemonic", mnemonic), operands.join(" "));
    if (one.address === pc) made.classList.add("here");
    return made;
  }

  async toggle(one, stop) {
    if (stop) await this.app.act("points.remove", { number: stop.number });
    else await this.app.act("points.break", { address: one.address });
    this.show();
  }
}
