// Where the axis of time has its marks: at powers of ten, and between them if there are few.
function marks(low, high) {
  const steps = high - low > 3 * Math.log2(10) ? [1] : [1, 2, 5];
  return Array.from({length: 12}, (_, i) => steps.map((step) => step * 10 ** i)).flat();
}

// All histograms of a choice have the same axis of time, so that they can be compared.
KINDS.bars = (part, parts) => captioned(chart(210, part.title, () => {
  const ends = (one) => [...one.from_ns, 2 * one.from_ns[one.from_ns.length - 1]].map(Math.log2);
  const every = parts.flatMap(ends), edges = ends(part).slice(0, -1);
  const width = edges.map((edge, i) => (i + 1 < edges.length ? edges[i + 1] : edge + 0.5) - edge);
  const low = Math.min(...every) - 0.3, high = Math.max(...every) + 0.3, ticks = marks(low, high);
  const text = part.from_ns.map((from, i) => `from ${lasting(from)}: ${figure(part.counts[i])}, ${lasting(part.total_ns[i])} in all`);
  const trace = {type: "bar", x: edges.map((edge, i) => edge + width[i] / 2), y: part.counts, width, text, textposition: "none",
    hovertemplate: "%{text}<extra></extra>", marker: {color: colour("held"), line: {width: 1, color: colour("paper")}}};
  const most = Math.log10(Math.max(...parts.flatMap((one) => one.counts)));
  return [[trace], {margin: {l: 55, r: 10, t: 6, b: 40},
    xaxis: axis("lasted", {range: [low, high], tickvals: ticks.map(Math.log2), ticktext: ticks.map(lasting)}),
    yaxis: axis("times", {type: "log", range: [-0.3, most + 0.25], dtick: most > 4 ? 2 : 1, fixedrange: true})}];
}), part.title);
