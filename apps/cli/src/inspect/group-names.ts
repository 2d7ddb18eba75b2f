/** Tensors whose names differ in one number only and that are alike, as one line. */
export interface NameGroup<T> {
  /** `model.layers.[0-21].mlp.up_proj.weight`. */
  readonly label: string;
  readonly items: readonly T[];
}

interface Named {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | bigint)[];
}

const NUMBER = /(?<=^|[._])\d+(?=[._]|$)/;

/** Groups tensors of the repeated layers of a model: same name but for the first number, same dtype and shape. In the order given. */
export function groupNames<T extends Named>(tensors: Iterable<T>): NameGroup<T>[] {
  const groups = new Map<string, { numbers: number[]; items: T[]; name: string }>();
  for (const tensor of tensors) {
    const number = NUMBER.exec(tensor.name)?.[0];
    const key =
      number === undefined ? `=${tensor.name}` : `${tensor.name.replace(NUMBER, "\u0000")}\u0000${tensor.dtype}${tensor.shape.join()}`;
    const group = groups.get(key) ?? { numbers: [], items: [], name: tensor.name };
    groups.set(key, group);
    if (number !== undefined) group.numbers.push(Number(number));
    group.items.push(tensor);
  }
  return [...groups.values()].map(({ numbers, items, name }) => ({
    label: items.length > 1 ? name.replace(NUMBER, `[${ranges(numbers)}]`) : name,
    items,
  }));
}

/** 0, 1, 2, 5 as "0-2,5". */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end > i ? `${sorted[i]}-${sorted[end]}` : `${sorted[i]}`);
    i = end + 1;
  }
  return parts.join(",");
}

/** A matcher of names with `*` and `?`; linear in the name for each star. */
export function globMatcher(glob: string): (name: string) => boolean {
  return (name) => {
    let [g, n, star, mark] = [0, 0, -1, 0];
    while (n < name.length) {
      if (glob[g] === "*") [star, mark] = [g++, n];
      else if (g < glob.length && (glob[g] === "?" || glob[g] === name[n])) [g, n] = [g + 1, n + 1];
      else if (star >= 0) [g, n] = [star + 1, ++mark];
      else return false;
    }
    while (glob[g] === "*") g++;
    return g === glob.length;
  };
}
