KINDS.heat = (part) => captioned(chart(Math.max(190, 90 + 26 * part.names.length), part.unit, () => {
  const bins = part.values[0].length, [factor, unit] = axisUnit(bins * part.width_ms);
  const x = part.values[0].map((_, i) => (part.begin_ms + (i + 0.5) * part.width_ms) * factor);
  const names = part.names.map((name) => plain(cut(name)));
  const trace = {type: "heatmap", x, y: names, z: part.values.map((row) => row.map((value) => value || null)), zmin: 0,
    colorscale: "Cividis", colorbar: {title: {text: plain(part.unit), side: "right"}, thickness: 12, outlinewidth: 0},
    hovertemplate: `%{y}<br>at %{x:.4~g} ${unit}<br>%{z:.3~g} ${plain(part.unit)}<extra></extra>`, hoverongaps: false, ygap: 2};
  return [[trace], {xaxis: axis(`time since the first event (${unit})`, {showgrid: false}),
    yaxis: {autorange: "reversed", fixedrange: true, type: "category"}, margin: {l: room(part.names), r: 20, t: 10, b: 45},
    plot_bgcolor: colour("panel")}];
}), part.note ? `${part.note}; empty: none` : "");
