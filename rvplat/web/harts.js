// The harts: a card for each, with where it is; and the registers of the chosen one.
import { byId, colour, count, el, table, word, worldName } from "./dom.js";

export class Harts {
  constructor(app) {
    this.app = app;
    this.cards = [];
  }

  card(number) {
    const parts = { mode: el("b"), world: el("span.world"), pc: el("code"), where: el("span.where"),
                    rate: el("span.muted") };
    const made = el("button.hart", { onclick: () => this.app.choose(number) },
      el("span.name", `hart ${number}`), parts.mode, parts.world, parts.pc, parts.where, parts.rate);
    return { made, ...parts };
  }

  show(sample, before) {
    if (this.cards.length !== sample.harts.length) {
      this.cards = sample.harts.map((one) => this.card(one.hart));
      byId("harts").replaceChildren(...this.cards.map((one) => one.made));
    }
    sample.harts.forEach((one, n) => this.fill(this.cards[n], one, before?.harts[n], sample, before));
  }

  fill(card, one, last, sample, before) {
    card.made.classList.toggle("chosen", one.hart === this.app.hart);
    card.made.setAttribute("aria-pressed", String(one.hart === this.app.hart));
    card.mode.textContent = one.mode;
    card.world.textContent = worldName(one.world);
    card.world.style.setProperty("--c", `var(${colour(one.world)})`);
    card.pc.textContent = one.pc;
    card.where.textContent = one.critical ? "critical error" : one.waits ? "waits (WFI)" : one.symbol;
    const seconds = last ? sample.time.ran_s - before.time.ran_s : 0;
    const rate = last && this.app.running && sample.wall > before.wall
      ? `${count((one.instructions - last.instructions) / ((sample.wall - before.wall) / 1000))}/s` : "";
    card.rate.textContent = rate || (seconds >= 0 ? `${count(one.instructions)} instructions` : "");
  }
}

const GROUPS = [
  ["Machine", /^m/], ["Supervisor", /^s/], ["Hypervisor", /^h/], ["Guest", /^vs/],
  ["Others", /./],
];

/** The registers of the chosen hart; what changed since the last look is marked. */
export class Registers {
  constructor(app) {
    this.app = app;
    this.before = {};
    this.open = new Set(["Machine"]);
  }

  async show(place) {
    const { api, hart } = this.app;
    const found = await api.call("registers.all", { hart });
    const flat = { pc: found.pc, ...found.x, ...found.csrs };
    const mark = (name) => (name in this.before && this.before[name] !== flat[name] ? "td.num.changed" : "td.num");
    const cells = Object.entries({ pc: found.pc, ...found.x });
    const rows = [];
    const half = Math.ceil(cells.length / 2);
    for (let n = 0; n < half; n += 1) {
      rows.push([n, n + half].filter((at) => at < cells.length).flatMap((at) => {
        const [name, value] = cells[at];
        return [el("td.key", name), el(mark(name), { title: value, ondblclick: () => this.edit(name, value) }, word(value))];
      }));
    }
    const parts = [table([], rows, "table.registers"), el("p.hint", "Double-click a value of a stopped machine to change it.")];
    const left = new Set(Object.keys(found.csrs));
    for (const [title, pattern] of GROUPS) {
      const names = [...left].filter((name) => pattern.test(name)).sort();
      const shown = names.filter((name) => found.csrs[name] !== "0x0" || !/hpm|pmp/.test(name));
      names.forEach((name) => left.delete(name));
      if (shown.length) parts.push(this.group(title, shown, found, mark));
    }
    place.replaceChildren(...parts);
    this.before = flat;
  }

  group(title, names, found, mark) {
    const rows = names.map((name) => {
      const fields = Object.entries(found.fields[name] ?? {}).filter(([, value]) => value !== "0x0");
      return [el("td.key", name), el(mark(name), { title: found.csrs[name], ondblclick: () => this.edit(name, found.csrs[name]) },
        word(found.csrs[name])), el("td.fields", fields.map(([field, value]) => `${field}=${value.slice(2)}`).join(" "))];
    });
    const made = el("details", el("summary", `${title} CSRs`), table([], rows, "table.registers"));
    made.open = this.open.has(title);
    made.addEventListener("toggle", () => (made.open ? this.open.add(title) : this.open.delete(title)));
    return made;
  }

  edit(name, value) {
    const wanted = prompt(`${name} of hart ${this.app.hart}:`, value);
    if (wanted !== null) {
      this.app.act("registers.write", { name, value: wanted.trim(), hart: this.app.hart }).then(() => this.app.refresh());
    }
  }
}
