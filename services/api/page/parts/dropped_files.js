// The files of a drop, those in folders included, in the order of their names.

// What tells of an item is gone when the event is over, so it is taken at once.
export function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (entries.length === 0 || entries.some((entry) => entry === null)) return Promise.resolve([...transfer.files]);
  return Promise.all(entries.map(filesOf)).then((lists) => lists.flat());
}

// What can't be read of a folder (no permission, gone meanwhile) is passed over.
async function filesOf(entry) {
  if (entry.isFile) return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  const inside = await entriesOf(entry.createReader());
  inside.sort((a, b) => (a.name < b.name ? -1 : 1));
  return (await Promise.all(inside.map(filesOf))).flat();
}

// A reader hands out a hundred at a time, and none when it is at its end.
async function entriesOf(reader) {
  const found = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return found;
    found.push(...some);
  }
}

// Not what a system leaves in folders for itself.
export const isWanted = (file) => file.size > 0 && !/^(\.|Thumbs\.db$|desktop\.ini$)/.test(file.name);
