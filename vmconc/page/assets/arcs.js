const STEP = 38, TOP = 26;

// Nodes stand one below the other; an arrow down is on the right, one up on the left, and one to itself a small loop.
KINDS.arcs = (part) => {
  const most = Math.max(...part.arcs.map((arc) => arc.count)), widest = Math.max(...part.nodes.map((name) => name.length));
  const half = Math.min(170, 10 + 4.2 * widest), far = (list) => Math.max(1, ...list.map((arc) => Math.abs(arc.target - arc.source)));
  const reach = (span) => 30 + 22 * span, y = (i) => TOP + STEP * i;
  const ups = part.arcs.filter((arc) => arc.target < arc.source), left = half + (ups.length ? reach(far(ups)) + 12 : 16), right = half + reach(far(part.arcs)) + 20;
  const width = left + right, height = y(part.nodes.length - 1) + 26;
  const nodes = part.nodes.map((name, i) => draw("text", {x: left, y: y(i) + 5, "text-anchor": "middle"}, name));
  const arcs = part.arcs.slice().sort((a, b) => a.wrong - b.wrong || b.shared - a.shared).map((arc) => arcNode(arc, left, half, reach, y, most));
  const svg = draw("svg", {class: "arcs", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "lock-order graph"}, ...arcs, ...nodes);
  if (part.ranked && part.ranked < part.nodes.length) {
    const line = y(part.ranked) - STEP / 2;
    svg.append(draw("line", {x1: left - half, x2: left + half, y1: line, y2: line, stroke: "currentColor", "stroke-dasharray": "2 3", opacity: 0.5}));
  }
  nodes.forEach((node, i) => {
    const show = (on) => arcs.forEach((arc) => arc.classList.toggle("dim", on && !arc.ends.includes(i)));
    node.addEventListener("mouseenter", () => show(true));
    node.addEventListener("mouseleave", () => show(false));
  });
  const ranks = part.ranked && part.ranked < part.nodes.length ? "below the dotted line: no declared rank" : "";
  return captioned(svg, [part.note, ranks, "point at a name to see only its arrows, at an arrow for its first occurrence"].filter(Boolean).join("; "));
};

function arcNode(arc, middle, half, reach, y, most) {
  const span = arc.target - arc.source, side = span < 0 ? -1 : 1, x = middle + side * half;
  const kind = `${arc.shared ? "shared" : ""} ${arc.wrong ? "wrong" : ""} ${arc.side}`.trim();
  const from = y(arc.source) + (span ? 5 * Math.sign(span) : -7), to = y(arc.target) - (span ? 5 * Math.sign(span) : -7);
  const out = x + side * reach(Math.abs(span)), bulge = x + (out - x) * 4 / 3;
  const path = draw("path", {d: `M${x} ${from} C${bulge} ${from} ${bulge} ${to} ${x + side * 7} ${to}`, class: kind,
    "stroke-width": 1 + 3 * Math.log(1 + arc.count) / Math.log(1 + most)});
  const tip = draw("path", {d: `M${x} ${to} l${side * 9} -4.5 v9 z`, class: `tip ${kind}`});
  const word = arc.word ? draw("text", {x: out, y: (from + to) / 2 + 4, class: "word", "text-anchor": "middle"}, arc.word) : null;
  const node = draw("g", {class: "arc"}, draw("title", {}, arc.text), path, tip, word);
  node.ends = [arc.source, arc.target];
  return node;
}
