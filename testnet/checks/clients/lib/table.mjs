// Results of tests become states of rows, and states become the table of the README.

export const BEGIN = "<!-- table: made by testnet/checks/clients/run --write -->";
export const END = "<!-- end of table -->";

/** One line for each row and client: its state, how many tests, the first error. */
export function states(rows, results) {
  return rows.flatMap((row) => row.clients.map((client) => {
    const own = results.filter((one) => one.row === row.id && one.client === client);
    const failed = own.filter(({ state }) => state !== "passed");
    return { id: row.id, flow: row.flow, client, tests: own.length, state: state(row, own, failed) };
  }));
}

function state(row, own, failed) {
  if (row.pending) return "pending";
  if (own.length === 0) return "missing";
  if (failed.length > 0) return "failed";
  return row.absent ? "module absent, refused as decided" : "passed";
}

export const good = ({ state }) => !["missing", "failed"].includes(state);

/** The table in Markdown: a line for each row, its clients with their number of tests. */
export function markdown(lines) {
  const head = ["| row | what is done | clients (tests) | state |", "|---|---|---|---|"];
  const ids = [...new Set(lines.map(({ id }) => id))];
  const body = ids.map((id) => {
    const own = lines.filter((line) => line.id === id);
    const shown = own.map(({ client, tests, state }) => (state === "pending" ? client : `${client} (${tests})`));
    const all = [...new Set(own.map(({ state }) => state))];
    const said = all.length === 1 ? all[0] : own.map(({ client, state }) => `${client}: ${state}`).join(", ");
    return `| ${id} | ${own[0].flow} | ${shown.join(", ")} | ${said} |`;
  });
  return [...head, ...body].join("\n");
}

/** A text with the table between its marks replaced. */
export function replaced(text, table) {
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error("README.md has lost the marks of its table");
  return `${text.slice(0, start)}${BEGIN}\n${table}\n${text.slice(end)}`;
}
