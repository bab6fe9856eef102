// Elements and texts.

/** An element: el("td.num", {title: "x"}, "text", other). A class may follow the name. */
export function el(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const part of parts.flat()) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node || typeof part === "string") made.append(part);
    else if (typeof part === "number") made.append(String(part));
    else set(made, part);
  }
  return made;
}

function set(made, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
}

export const byId = (id) => document.getElementById(id);

/** "0x80" with all the digits of a 64-bit word, in groups. */
export function word(text, digits = 16) {
  return text.slice(2).padStart(digits, "0").replace(/(.{8})(?=.)/g, "$1 ");
}

export function bytes(hex) {
  const found = new Uint8Array(hex.length / 2);
  for (let n = 0; n < found.length; n += 1) found[n] = parseInt(hex.substr(2 * n, 2), 16);
  return found;
}

export function hex(data) {
  return Array.from(data, (one) => one.toString(16).padStart(2, "0")).join("");
}

export function worldName(world) {
  return world === "host" ? "host" : `guest ${world}`;
}

export const COLOURS = ["--host", "--g1", "--g2", "--g3", "--g4", "--g5"];

/** The name of the colour of a world. */
export function colour(world) {
  if (world === "host") return COLOURS[0];
  return COLOURS[1 + ((Number(world) + COLOURS.length - 2) % (COLOURS.length - 1))];
}

export function count(value) {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return String(Math.round(value));
}

export function table(head, rows, name = "table") {
  return el(name, el("thead", el("tr", head.map((one) => el("th", one)))),
    el("tbody", rows.map((row) => el("tr", row.map((one) => (
      one instanceof HTMLTableCellElement ? one : el("td", one)))))));
}

export function fault(error) {
  return el("p.fault", error.message ?? String(error));
}
