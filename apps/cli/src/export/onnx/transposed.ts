/** A matrix [rows, columns] of elements of so many bytes as [columns, rows]. */
export function transposed(data: Uint8Array, [rows, columns]: readonly [number, number], width: 2 | 4): Uint8Array {
  const Words = width === 4 ? Uint32Array : Uint16Array;
  // What was read may begin anywhere.
  const from = new Words(data.slice().buffer);
  const to = new Words(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[row * columns + column]!;
  return new Uint8Array(to.buffer);
}
