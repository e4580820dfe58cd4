// What everything else uses.  KINDS: for each kind of part, what makes a node of it.
const data = JSON.parse(document.getElementById("data").textContent), KINDS = {};

function make(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function draw(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

// Three digits, or all that stand before the point.
function figure(value) {
  if (value === null) return "-";
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(3)).toLocaleString("en", {maximumSignificantDigits: 3});
}

const UNITS = [[1e9, "s"], [1e6, "ms"], [1e3, "\u00b5s"], [1, "ns"]];

function lasting(ns) {
  const [unit, name] = UNITS.find(([least]) => ns >= least) || [1, "ns"];
  return `${figure(Number((ns / unit).toPrecision(3)))} ${name}`;
}

// The unit for an axis of so many ms: how many of it a ms is, and its name.
function axisUnit(ms) {
  return ms >= 1e4 ? [1e-3, "s"] : ms >= 1 ? [1, "ms"] : ms >= 1e-3 ? [1e3, "\u00b5s"] : [1e6, "ns"];
}
