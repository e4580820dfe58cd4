// Where the axis of time has its marks: at powers of ten, and between them if there are few.
function marks(low, high) {
  const decades = (high - low) / Math.log2(10), steps = decades > 3 ? [1] : [1, 2, 5], apart = decades > 6 ? 2 : 1;
  return Array.from({length: 12}, (_, i) => steps.map((step) => step * 10 ** (i * apart))).flat();
}

// All histograms of a choice have the same axis of time, so that they can be compared.
KINDS.bars = (part, parts) => captioned(chart(210, part.title, () => {
  const ends = (one) => [...one.from_ns, 2 * one.from_ns[one.from_ns.length - 1]].map(Math.log2);
  const every = parts.flatMap(ends), edges = ends(part).slice(0, -1);
  const width = edges.map((edge, i) => (i + 1 < edges.length ? edges[i + 1] : edge + 0.5) - edge);
  const low = Math.min(...every) - 0.3, high = Math.max(...every) + 0.3, ticks = marks(low, high);
  const said = (counts, totals, i) => `${figure(counts[i])}, ${lasting(totals[i])} in all`;
  const text = part.from_ns.map((from, i) => (part.before.length
    ? `from ${lasting(from)}<br>before: ${said(part.before, part.before_ns, i)}<br>after: ${said(part.counts, part.total_ns, i)}`
    : `from ${lasting(from)}: ${said(part.counts, part.total_ns, i)}`));
  const trace = {type: "bar", x: edges.map((edge, i) => edge + width[i] / 2), y: part.counts, width, text, textposition: "none",
    hovertemplate: "%{text}<extra></extra>", marker: {color: colour("held"), line: {width: 1, color: colour("paper")}}};
  const most = Math.log10(Math.max(...parts.flatMap((one) => [...one.counts, ...one.before])));
  return [part.before.length ? [trace, ...outline(part, edges, width, trace)] : [trace], {barmode: "overlay", margin: {l: 55, r: 10, t: 6, b: 40},
    xaxis: axis("lasted", {range: [low, high], tickvals: ticks.map(Math.log2), ticktext: ticks.map(lasting), tickangle: 0}),
    yaxis: axis("times", {type: "log", range: [-0.3, most + 0.25], dtick: most > 4 ? 2 : most > 1.5 ? 1 : "D2", fixedrange: true})}];
}), part.title);

const NONE = 0.1;  // drawn below the axis, which is logarithmic

// What was before, as a dashed line around its bars; and bars that are not seen, to point at where only one side has any.
function outline(part, edges, width, trace) {
  const last = edges.length - 1, y = part.before.map((count) => count || NONE);
  const line = {type: "scatter", mode: "lines", x: [edges[0], ...edges, edges[last] + width[last]], y: [NONE, ...y, NONE], hoverinfo: "skip",
    line: {shape: "hv", width: 2, dash: "dash", color: colour("before")}};
  const higher = part.counts.map((count, i) => Math.max(count, part.before[i]));
  return [line, {...trace, y: higher, opacity: 0}];
}
