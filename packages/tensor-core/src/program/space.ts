/** An iteration space with the strides of each view in it. */
export interface Space {
  readonly shape: readonly number[];
  /** Per view, one stride per axis. */
  readonly strides: readonly (readonly number[])[];
}

/** The same space with the fewest axes: those of length 1 go, neighbours that every view walks through in one progression become one. */
export function collapse(shape: readonly number[], views: readonly (readonly number[])[]): Space {
  const size: number[] = [];
  const strides: number[][] = views.map(() => []);
  shape.forEach((d, axis) => {
    if (d === 1) return;
    const last = size.length - 1;
    const joins = last >= 0 && views.every((v, k) => strides[k]![last] === v[axis]! * d);
    if (joins) {
      size[last]! *= d;
      views.forEach((v, k) => (strides[k]![last] = v[axis]!));
    } else {
      size.push(d);
      views.forEach((v, k) => strides[k]!.push(v[axis]!));
    }
  });
  return { shape: size, strides };
}
