const DASHES = ["solid", "dash", "dot", "dashdot"];

KINDS.curves = (part) => captioned(chart(250, part.title, () => {
  const [factor, unit] = axisUnit(Math.max(...part.width_ms) * part.values[0].length);
  const times = (i) => part.values[i].map((_, bin) => (part.begin_ms + bin * part.width_ms[i]) * factor);
  const traces = part.names.map((name, i) => ({type: "scatter", mode: "lines", name: plain(name), x: times(i), y: part.values[i], connectgaps: false,
    line: {shape: "hv", width: 2, color: PALETTE[i], dash: DASHES[i % DASHES.length]}, hovertemplate: `%{y:.4~g}, ${plain(name)}<extra></extra>`}));
  return [traces, {showlegend: true, legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0}, hovermode: "x", margin: {l: 60, r: 20, t: 34, b: 45},
    xaxis: axis(`time since the first event (${unit})`), yaxis: axis(plain(part.title), {rangemode: "tozero", fixedrange: true})}];
}), "");
