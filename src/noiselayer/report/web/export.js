// Decisions as a file that noiselayer apply-review reads.
const DECISION_COLUMNS = [
  "sample", "id", "given_label", "suggested_label", "error_probability", "decision", "new_label",
];

function decisionsAsCsv(decided) {
  const cell = (value) => {
    // A spreadsheet takes text that begins like this for a formula; apply-review takes the apostrophe away again.
    const formula = typeof value === "string" && /^'*[=+\-@\t\r]/.test(value) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value);
    const text = formula ? `'${value}` : String(value);
    return /[",\r\n]|^\s|\s$/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  const drawn = decided.some((row) => "inclusion_probability" in row); // labels to check, a draw
  const columns = drawn ? [...DECISION_COLUMNS, "inclusion_probability"] : DECISION_COLUMNS;
  const rows = decided.map((row) => columns.map((column) => cell(row[column])).join(","));
  return [columns.join(","), ...rows, ""].join("\n");
}

function decisionsAsJson(state, decided) {
  const content = { format: 1, report: state.id, class_names: state.classNames, decisions: decided };
  return JSON.stringify(content, null, 2) + "\n";
}

function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
