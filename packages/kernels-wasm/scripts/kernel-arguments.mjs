// Reads the names of the kernels' arguments out of their AssemblyScript: the class that a kernel takes is the one table of them;
// the compiler lays it out, and the host writes by the same names.

/** A word of an argument block as the host writes it, an integer (0) or an f32 (1), for each type that a field may have. */
const WORDS = { usize: 0, i32: 0, u32: 0, f32: 1 };

const CLASS = /@unmanaged\s+(?:export )?class (\w+)(?: extends (\w+))? \{\n([\s\S]*?)\n\}/g;
const KERNEL = /export function (\w+)\(args: (\w+), start: i32, end: i32\): void/g;

/** @param files `{ name, text }` of each source. @returns kernel → argument → 0 (an integer) | 1 (an f32), in the order of the words */
export function kernelArguments(files) {
  const classes = new Map();
  for (const { name, text } of files)
    for (const [, title, base, body] of text.matchAll(CLASS)) classes.set(title, { base, own: fields(name, title, body) });
  const all = (title) => ({ ...(classes.get(title).base && all(classes.get(title).base)), ...classes.get(title).own });
  const result = {};
  for (const { name, text } of files) {
    for (const [, kernel, title] of text.matchAll(KERNEL)) {
      if (!classes.has(title))
        throw new Error(`${name}: the arguments of ${kernel} are no @unmanaged class with one field a line: ${title}`);
      result[kernel] = all(title);
    }
  }
  return Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function fields(file, title, body) {
  const result = {};
  for (const line of body.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").split("\n")) {
    if (line.trim() === "") continue;
    const [, name, type] = /^\s*(\w+): (\w+);\s*$/.exec(line) ?? [];
    if (WORDS[type] === undefined)
      throw new Error(`${file}: ${title} has "${line.trim()}"; an argument is one of ${Object.keys(WORDS).join(", ")}`);
    result[name] = WORDS[type];
  }
  return result;
}
