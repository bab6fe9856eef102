// What each hart did in each tenth of a second: its worlds, devices, sleep; and statistics.
import { colour, count, el, table, worldName } from "./dom.js";

const KEPT = 200; // samples

/** The shares of an interval between two samples of a hart: [[name, share], ...]. */
export function shares(one, last, seconds) {
  const asleep = Math.max(one.asleep_s - last.asleep_s, 0);
  const devices = Math.max(one.devices_s - last.devices_s, 0);
  const native = Math.max(one.native_s - last.native_s, 0);
  const whole = Math.max(seconds, asleep + devices + native, 1e-9);
  const counts = Object.entries(one.by_world).map(([world, n]) => [world, Math.max(n - (last.by_world[world] ?? 0), 0)]);
  const sum = counts.reduce((total, [, n]) => total + n, 0);
  const found = counts.filter(([, n]) => n).map(([world, n]) => [world, native * n / sum / whole]);
  return [...found, ["devices", devices / whole], ["asleep", asleep / whole]];
}

export class Timeline {
  constructor(app) {
    this.app = app;
    this.kept = [];
  }

  add(sample, last) {
    if (!last || sample.time.ran_s < last.time.ran_s) return;
    const seconds = sample.time.ran_s - last.time.ran_s || (sample.wall - last.wall) / 1000;
    if (!this.app.running && sample.time.instructions === last.time.instructions) return;
    this.kept.push(sample.harts.map((one, n) => ({
      parts: shares(one, last.harts[n], (sample.wall - last.wall) / 1000 || seconds),
      entries: one.entries - last.harts[n].entries,
      traps: total(one.traps) - total(last.harts[n].traps),
    })));
    if (this.kept.length > KEPT) this.kept.shift();
  }

  async show(place) {
    const sample = this.app.sample;
    if (!sample) return;
    if (!place.querySelector("canvas")) {
      const rows = sample.harts.map((one) => el("div.lane", el("h3", `Hart ${one.hart} `, el("span.muted.rates")), el("canvas", { height: 96 })));
      place.replaceChildren(el("div.legend"), ...rows, el("p.hint", "A column is a tenth of a second; the line counts entries into guests and traps."));
    }
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    place.querySelectorAll("canvas").forEach((canvas, n) => this.draw(canvas, n, ink));
    place.querySelectorAll(".rates").forEach((one, n) => {
      const last = this.kept.slice(-10).map((harts) => harts[n]).filter(Boolean);
      const sum = (key) => last.reduce((all, part) => all + part[key], 0);
      one.textContent = `in the last second ${count(sum("entries"))} entries into guests, ${count(sum("traps"))} traps`;
    });
    const worlds = [...new Set(this.kept.flatMap((harts) => harts.flatMap((one) => one.parts.map(([name]) => name))))].sort();
    place.querySelector(".legend").replaceChildren(...worlds.map((name) => {
      const key = el("i");
      key.style.background = `var(${inkOf(name)})`;
      return el("span", key, name === "asleep" || name === "devices" ? name : worldName(name));
    }));
  }

  draw(canvas, n, ink) {
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = 96 * devicePixelRatio;
    const pen = canvas.getContext("2d");
    const step = Math.max(canvas.width / KEPT, 3 * devicePixelRatio);
    const fits = Math.floor(canvas.width / step);
    const found = this.kept.slice(-fits);
    const bars = canvas.height * 0.78;
    const most = Math.max(1, ...found.map((harts) => (harts[n]?.entries ?? 0) + (harts[n]?.traps ?? 0)));
    pen.fillStyle = ink("--back");
    pen.fillRect(0, 0, canvas.width, bars);
    found.forEach((harts, at) => {
      let bottom = bars;
      for (const [name, share] of harts[n]?.parts ?? []) {
        const height = share * bars;
        pen.fillStyle = ink(inkOf(name));
        pen.fillRect(at * step, bottom - height, step - 0.5, height);
        bottom -= height;
      }
      const events = ((harts[n]?.entries ?? 0) + (harts[n]?.traps ?? 0)) / most;
      pen.fillStyle = ink("--muted");
      pen.fillRect(at * step, canvas.height - events * canvas.height * 0.18, step - 0.5, events * canvas.height * 0.18);
    });
  }
}

const inkOf = (name) => (name === "asleep" ? "--asleep" : name === "devices" ? "--devices" : colour(name));
const total = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

export class Statistics {
  constructor(app) {
    this.app = app;
  }

  async show(place) {
    const found = await this.app.api.call("machine.statistics");
    const parts = [table([], [
      [el("td.key", "instructions"), el("td.num", found.instructions.toLocaleString("en"))],
      [el("td.key", "ran for"), el("td.num", `${found.seconds.toFixed(3)} s`)],
      [el("td.key", "speed"), el("td.num", `${found.million_per_second.toFixed(1)} million a second`)],
      [el("td.key", "in regions"), el("td.num", found.regions.share === null || found.regions.share === undefined ? "" : `${(100 * found.regions.share).toFixed(0)} %`)],
    ], "table.plain")];
    found.harts.forEach((one, n) => {
      const kinds = [["traps", one.traps], ["exits from guests", one.worlds.exits], ["page walks", one.worlds.walks],
        ["instructions of guests (VMID)", one.worlds.guests]];
      const rows = kinds.flatMap(([title, counts]) => Object.entries(counts).map(([name, value], at) => (
        [el("td.key", at ? "" : title), name, el("td.num", value.toLocaleString("en"))])));
      parts.push(el("h3", `Hart ${n} `, el("span.muted", `${one.native_s.toFixed(2)} s native, ${one.devices_s.toFixed(2)} s in devices, ${one.asleep_s.toFixed(2)} s asleep`)),
        table(["", "", "count"], rows, "table.plain"));
    });
    place.replaceChildren(...parts);
  }
}
