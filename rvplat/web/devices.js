// Devices with their registers, and the way of interrupts.
import { el, fault, table } from "./dom.js";

export class Devices {
  constructor(app) {
    this.app = app;
    this.name = null;
  }

  async show(place) {
    const list = await this.app.api.call("devices.list");
    this.name = this.name ?? (list.find((one) => one.console) ?? list[0])?.name;
    const rows = list.map((one) => {
      const high = Object.entries(one.lines).filter(([, level]) => level).map(([line]) => line);
      const cell = el("td", el("button.link", { onclick: () => { this.name = one.name; this.show(place); } }, one.name));
      return [cell, one.model, el("td.num", one.base ?? ""), el("td", high.length ? el("span.on", `${high.join(", ")} high`) : "")];
    });
    const found = await this.app.api.call("devices.registers", { name: this.name }).catch((error) => error);
    const chosen = list.find((one) => one.name === this.name);
    const top = place.querySelector(".list")?.scrollTop ?? 0;
    place.replaceChildren(el("div.list", table(["device", "model", "address", "lines"], rows, "table.plain")),
      el("h3", `${this.name} `, el("span.muted", chosen?.description ?? "")),
      ...(found instanceof Error ? [fault(found)] : shown(found)));
    place.querySelector(".list").scrollTop = top;
  }
}

function shown(found) {
  const rows = found.registers.map((one) => {
    let value = "\u2013";
    if (one.values && one.count) {
      value = Object.entries(one.values).map(([n, text]) => `[${n}] ${text}`).join("  ") || "all 0";
    } else if (one.values) {
      value = one.values["0"];
    }
    const fields = one.fields.filter((part) => part.value !== null && one.fields.length > 1);
    const name = one.count ? `${one.name}[${one.count}]` : one.name;
    return [el("td.num.muted", `+0x${one.offset.toString(16)}`), el("td.key", name), el("td.muted", one.access),
      el("td.num", value), el("td.fields", fields.map((part) => (
        el(part.value === "0x0" ? "span.field.muted" : "span.field", `${part.name}=${part.value.slice(2)}`))))];
  });
  const state = Object.entries(found.state).map(([name, value]) => [el("td.key", name), el("td.num.wrap", value)]);
  return [table(["", "register", "", "value", "fields"], rows, "table.plain"),
    el("p.hint", "\u2013: only a load, which may change the device, would tell."),
    state.length ? table(["kept by the device", ""], state, "table.plain") : null].filter(Boolean);
}

/** From a device's line over its controller to a hart, and what a hart does with it. */
export class Interrupts {
  constructor(app) {
    this.app = app;
    this.all = false;
  }

  async show(place) {
    const found = await this.app.api.call("interrupts.list");
    const bits = new Map(found.harts.flatMap((one) => one.interrupts.map((bit) => [`${one.hart} ${bit.bit}`, bit])));
    const busy = found.sources.filter((one) => this.all || one.level || one.pending || one.claimed
      || one.priority || one.outputs.some((out) => out.enabled));
    const choice = el("label.bar", el("input", { type: "checkbox", checked: this.all,
      onchange: (event) => { this.all = event.target.checked; this.show(place); } }), " also lines that nobody uses");
    const parts = [el("h3", "Lines of devices"), choice];
    if (!busy.length) parts.push(el("p.muted", "No source has a priority, is enabled or pending."));
    for (const one of busy) parts.push(...sourceRows(one, bits));
    for (const hart of found.harts) parts.push(...hartRows(hart));
    place.replaceChildren(...parts);
  }
}

const step = (on, title, ...lines) => el(on ? "div.step.on" : "div.step", el("b", title), ...lines.map((one) => el("span", one)));
const wire = (on) => el(on ? "span.wire.on" : "span.wire");

function sourceRows(one, bits) {
  const used = one.outputs.filter((out) => out.enabled);
  const outputs = used.length ? used : [null];
  return outputs.map((out) => {
    const parts = [step(one.level, one.device, `line ${one.line} ${one.level ? "high" : "low"}`), wire(one.level),
      step(one.pending || one.claimed, `${one.controller} ${one.input}`, `priority ${one.priority}`,
        one.claimed ? "claimed" : one.pending ? "pending" : "not pending")];
    if (out === null) return el("div.way", parts, wire(false), step(false, "no hart", "not enabled"));
    const goes = one.pending && out.passes;
    parts.push(wire(goes), step(goes, `to hart ${out.hart}`, `threshold ${out.threshold}`, out.passes ? "passes" : "held back"));
    return el("div.way", parts, ...bitParts(bits.get(`${out.hart} ${out.bit}`), out.interrupt));
  });
}

function bitParts(bit, name) {
  if (!bit) return [wire(false), step(false, `mip.${name}`, "not pending", "not enabled in mie")];
  const taken = bit.pending && bit.enabled;
  const path = bit.mode === "VS" ? "mideleg, hideleg" : bit.mode === "S" ? "mideleg" : "not delegated";
  return [wire(bit.pending), step(bit.pending, `mip.${name}`, bit.pending ? "pending" : "not pending", bit.injected ? "set in hvip" : ""),
    wire(taken), step(taken, "mie", bit.enabled ? "enabled" : "not enabled"), wire(taken), step(taken, `${bit.mode} mode`, path)];
}

const FROM = { MSI: "clint msip", MTI: "clint mtimecmp", STI: "stimecmp", SSI: "software", VSTI: "hvip or vstimecmp",
               VSSI: "hvip", VSEI: "hvip or hgeip", SGEI: "hgeip", LCOFI: "counters", MEI: "controller", SEI: "controller" };

function hartRows(hart) {
  const takes = [["M", hart.takes_m], ["S", hart.takes_s], ["VS", hart.takes_vs]].filter(([, on]) => on).map(([mode]) => mode);
  const rows = hart.interrupts.map((bit) => el("div.way", step(bit.pending, FROM[bit.name] ?? "", bit.name), ...bitParts(bit, bit.name)));
  return [el("h3", `Hart ${hart.hart} `, el("span.muted", takes.length ? `would take interrupts for ${takes.join(", ")} mode now` : "takes no interrupt now")),
    ...(rows.length ? rows : [el("p.muted", "None is pending or enabled.")])];
}
