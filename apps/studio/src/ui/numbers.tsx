import type { JSX } from "preact";

/** Numbers under their names, in a row. */
export function Numbers({ numbers }: { readonly numbers: readonly (readonly [name: string, value: string])[] }): JSX.Element {
  return (
    <dl class="numbers">
      {numbers.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
