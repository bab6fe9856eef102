// Memory of a world, and the page tables of both stages for an address.
import { bytes, el, fault, table, worldName } from "./dom.js";

function worldChoice(app, chosen, onchange) {
  const worlds = ["now", "host", ...app.guests()];
  return el("select", { "aria-label": "World", onchange }, worlds.map((one) => (
    el("option", { value: one, selected: String(one) === String(chosen) }, one === "now" ? "the hart's world" : worldName(one)))));
}

const worldOf = (text) => (/^\d+$/.test(text) ? Number(text) : text);

/** A panel with a form: an address, its world, and one of some choices. `fill` shows what is found. */
class AddressPanel {
  constructor(app, label, choices, button) {
    Object.assign(this, { app, label, choices, button, address: "pc", world: "now", choice: choices[0] });
  }

  async show(place) {
    if (!place.querySelector("form.bar")) {
      const again = () => this.read(place);
      place.replaceChildren(el("form.bar", { onsubmit: (event) => { event.preventDefault(); again(); } },
        this.input = el("input", { value: this.address, placeholder: "address, symbol or register", "aria-label": "Address", spellcheck: "false" }),
        this.worldBox = worldChoice(this.app, this.world, again),
        this.choiceBox = el("select", { "aria-label": this.label, onchange: again }, this.choices.map((one) => (
          el("option", { selected: one === this.choice }, one)))), el("button", this.button)), el("div.result"));
    }
    await this.fill(place);
  }

  async read(place) {
    this.address = this.input.value.trim() || "pc";
    this.world = worldOf(this.worldBox.value);
    this.choice = this.choiceBox.value;
    await this.fill(place);
  }
}

export class Memory extends AddressPanel {
  constructor(app) {
    super(app, "Kind of address", ["virtual", "guest-physical", "physical"], "Show");
  }

  async fill(place) {
    const result = place.querySelector(".result");
    const at = await this.app.address(this.address).catch((error) => error);
    const found = at instanceof Error ? at : await this.app.api.call("memory.read", {
      address: at, size: 512, hart: this.app.hart, world: this.world, space: this.choice,
    }).catch((error) => error);
    if (found instanceof Error) {
      result.replaceChildren(fault(found));
      return;
    }
    const data = bytes(found.data);
    const start = BigInt(found.address);
    const rows = [];
    for (let n = 0; n < data.length; n += 16) {
      const part = data.subarray(n, n + 16);
      const words = Array.from(part, (one) => one.toString(16).padStart(2, "0"));
      const text = Array.from(part, (one) => (one > 31 && one < 127 ? String.fromCharCode(one) : "\u00b7")).join("");
      rows.push([el("td.key", `0x${(start + BigInt(n)).toString(16)}`),
        el("td.num", `${words.slice(0, 8).join(" ")}  ${words.slice(8).join(" ")}`), el("td.num.muted", text)]);
    }
    result.replaceChildren(table([], rows, "table.bytes"));
  }
}

export class Walk extends AddressPanel {
  constructor(app) {
    super(app, "Access", ["load", "store", "fetch"], "Walk");
  }

  async fill(place) {
    const result = place.querySelector(".result");
    try {
      const address = await this.app.address(this.address);
      const found = await this.app.api.call("memory.walk", {
        address, access: this.choice, hart: this.app.hart, world: this.world,
      });
      result.replaceChildren(...drawn(found));
    } catch (error) {
      result.replaceChildren(fault(error));
    }
  }
}

/** The rows of a walk: what translates the address of a table's entry, then the entry itself. */
export function rowsOf(entries) {
  const rows = [];
  let inner = [];
  for (const one of entries) {
    if (one.depth > 0) {
      inner.push(one);
    } else {
      const last = rows[rows.length - 1];
      if (!inner.length && last && last.stage === one.stage && one.stage.startsWith("G")) last.own.push(one);
      else rows.push({ stage: one.stage, inner, own: [one] });
      inner = [];
    }
  }
  if (inner.length) rows.push({ stage: inner[0].stage, inner, own: [] });
  return rows;
}

function box(one, kind) {
  return el(`div.entry.${kind}`, { title: `${one.verdict}\nPMP ${one.pmp || "---"}` },
    el("span.title", `${one.stage} level ${one.level}`), el("code", one.pte), el("span.flags", one.flags),
    el("span.muted", `at ${one.pa ?? one.address}`), el("span.verdict", one.verdict));
}

function drawn(found) {
  const arrow = () => el("span.arrow", "\u2192");
  const joined = (boxes) => boxes.flatMap((one, n) => (n ? [arrow(), one] : [one]));
  const parts = [el("p.title", `${found.access} of `, el("code", found.va), ` in ${found.mode} mode, ${found.world}`)];
  if (!found.entries.length) parts.push(el("p.muted", "No page table is used."));
  for (const row of rowsOf(found.entries)) {
    const boxes = [...row.inner.map((one) => box(one, "second")),
      ...row.own.map((one) => box(one, one.stage.startsWith("G") ? "second" : "first"))];
    parts.push(el("div.walk-row", joined(boxes)), el("div.down", "\u2193"));
  }
  if (found.gpa !== null) parts.push(el("div.end", "guest physical ", el("code", found.gpa)), el("div.down", "\u2193"));
  if (found.fault) parts.push(el("div.end.bad", `fault: ${found.fault.text}`));
  else parts.push(el("div.end.good", "physical ", el("code", found.pa), `, PMP ${found.pmp}, ${found.memory_type}`));
  parts.push(el("details", el("summary", "As text"), el("pre", found.text)));
  return parts;
}
