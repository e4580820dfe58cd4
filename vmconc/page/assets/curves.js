const DASHES = ["solid", "dash", "dot", "dashdot"];

KINDS.curves = (part) => captioned(chart(250, part.title, () => {
  const [factor, unit] = axisUnit(part.values[0].length * part.width_ms);
  const x = part.values[0].map((_, i) => (part.begin_ms + i * part.width_ms) * factor);
  const traces = part.names.map((name, i) => ({type: "scatter", mode: "lines", name: plain(name), x, y: part.values[i], connectgaps: false,
    line: {shape: "hv", width: 2, color: PALETTE[i], dash: DASHES[i % DASHES.length]}, hovertemplate: `%{y:.4~g}, ${plain(name)}<extra></extra>`}));
  return [traces, {showlegend: true, legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0}, hovermode: "x", margin: {l: 60, r: 20, t: 34, b: 45},
    xaxis: axis(`time since the first event (${unit})`), yaxis: axis(plain(part.title), {rangemode: "tozero", fixedrange: true})}];
}), "");
