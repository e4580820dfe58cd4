KINDS.facts = (part) => make("div", {class: "facts"}, ...part.facts.map((fact) => make("div", {class: `fact ${fact.tone}`},
  make("div", {class: "name"}, fact.name), make("div", {class: "value"}, fact.value), make("div", {class: "more"}, fact.more))));

KINDS.lines = (part) => make("div", {class: `lines ${part.tone}`}, ...part.lines.map((line) => make("p", {}, line)));
