// How each kind of span is drawn; the hatching tells waits from holds without any colour.
const SPAN_KINDS = [["operation", "operation", ""], ["page-in", "pagein", "."], ["waits", "wait", "/"], ["holds shared", "share", ""],
  ["holds exclusive", "held", ""]];

KINDS.spans = (part) => captioned(chart(110 + 19 * part.lanes.length, "timeline", () => {
  const [factor, unit] = axisUnit(part.end_ms - part.begin_ms);
  const described = (spans) => ({y: spans.map((span) => span[0]), hovertemplate: "%{text}<extra></extra>",
    text: spans.map((span) => `${plain(span[4])}<br>${lasting(span[3] * 1e6)}`)});
  const bars = SPAN_KINDS.map(([name, hue, shape], kind) => {
    const spans = part.spans.filter((span) => span[1] === kind);
    return {type: "bar", orientation: "h", name, ...described(spans), base: spans.map((span) => (span[2] - part.begin_ms) * factor),
      x: spans.map((span) => span[3] * factor), width: 0.72, textposition: "none",
      marker: {color: colour(hue), line: {width: 0.6, color: colour(hue)}, pattern: {shape, fgcolor: colour("paper"), bgcolor: colour(hue), size: 5, solidity: 0.25}}};
  });
  const endless = part.endless.map((i) => part.spans[i]);
  const marks = {type: "scatter", mode: "markers", name: "not ended", ...described(endless), x: endless.map(() => (part.end_ms - part.begin_ms) * factor),
    cliponaxis: false, marker: {symbol: "triangle-right", size: 11, color: colour("ink")}};
  const traces = [...bars, marks].filter((trace) => trace.y.length);
  const first = (i) => !i || part.lanes[i][0] !== part.lanes[i - 1][0];
  const names = part.lanes.map(([who, what], i) => (first(i) ? `<b>${plain(who)}</b>  ${plain(what)}` : plain(what)));
  const lines = part.lanes.flatMap((_, i) => (i && first(i) ? [{type: "line", xref: "paper", x0: 0, x1: 1, y0: i - 0.5, y1: i - 0.5,
    line: {color: colour("soft"), width: 1}}] : []));
  const after = part.begin_ms > 0 ? `${part.begin_ms.toLocaleString("en", {maximumFractionDigits: 6})} ms` : "the first event";
  return [traces, {barmode: "overlay", bargap: 0, shapes: lines, showlegend: true, legend: {orientation: "h", y: 1.01, yanchor: "bottom", x: 0},
    dragmode: "zoom", margin: {l: 150, r: 20, t: 34, b: 45},
    xaxis: axis(`${unit} after ${after}`, {range: [0, (part.end_ms - part.begin_ms) * factor]}),
    yaxis: {tickvals: part.lanes.map((_, i) => i), ticktext: names, range: [part.lanes.length - 0.4, -0.6], fixedrange: true, showgrid: false, zeroline: false}}];
}), part.note);
