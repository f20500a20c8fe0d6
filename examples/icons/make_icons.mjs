// Draws the icons of the npm package @tabler/icons as a data set for the pipeline: data/icons.csv with two questions a picture, and
// data/images/<name>.png. Which pictures are for training is left to data.split.
// Run: npm install --no-save @tabler/icons @resvg/resvg-js && node make_icons.mjs [folder]
import { Resvg } from "@resvg/resvg-js";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = process.argv[2] ?? join(here, "data");
const from = join(here, "node_modules", "@tabler", "icons", "icons", "outline");
const colors = { red: "#d7263d", green: "#1b8a3a", blue: "#1f5fd6", orange: "#f08a1d", purple: "#7b2cbf", black: "#111111" };
const fewest = 80; // icons of a kind; what is rarer is left out, and brands, whose logos have nothing in common

const names = readdirSync(from).filter((name) => name.endsWith(".svg")).map((name) => name.slice(0, -4)).sort();
const kindOf = (name) => name.split("-")[0]; // circle-check and circle-plus are both circles
const count = {};
for (const name of names) count[kindOf(name)] = (count[kindOf(name)] ?? 0) + 1;
delete count.brand;

mkdirSync(join(root, "images"), { recursive: true });
const rows = ["file_name,question,answer,task,category"];
let drawn = 0;
for (const name of names.filter((name) => count[kindOf(name)] >= fewest)) {
  const color = Object.keys(colors)[drawn++ % Object.keys(colors).length];
  const svg = readFileSync(join(from, name + ".svg"), "utf8").replaceAll("currentColor", colors[color]);
  const picture = new Resvg(svg, { fitTo: { mode: "width", value: 48 }, background: "white" }).render();
  writeFileSync(join(root, "images", name + ".png"), picture.asPng());
  rows.push(`images/${name}.png,what kind of icon is this,${kindOf(name)},kind,${kindOf(name)}`);
  rows.push(`images/${name}.png,which color is it drawn in,${color},color,${kindOf(name)}`);
}
writeFileSync(join(root, "icons.csv"), rows.join("\n") + "\n");
console.log(`${join(root, "icons.csv")}: ${drawn} pictures of ${Object.values(count).filter((n) => n >= fewest).length} kinds`);
