import { closure } from "@weft/tensor-core/program";
import { type Loop, loopArguments } from "../loop.js";
import { ADD, LESS, MUL, NOT_LESS, SELECT, SUB } from "../loop-code.js";
import { type Local, V128, WasmLanes } from "../wasm-lanes.js";
import { DOT_WORDS, rowsTogether } from "./dot-arguments.js";
import { linearTerms, type Term } from "./linear-terms.js";
import { MatrixCode } from "./matrix-code.js";
import { Neighbours, type Place } from "./neighbours.js";

const [ITEM, END] = [1, 2];

/** Elements of a row over which a scale may be the same; 0 stands for all of them. */
const BLOCKS = [0, 256, 128, 64, 32, 16];

/** Elements of a block up to which it is written out without a loop. */
const UNROLLED = 64;

/** The largest block for which the least is left to compute for each element. */
function blockOf(code: MatrixCode): { readonly block: number; readonly terms: readonly Term[]; readonly same: (v: number) => boolean } {
  const { program, analysis } = code.loop;
  const scalar = (v: number): boolean => analysis.scalar[v]!;
  const choices = BLOCKS.map((block) => {
    const facts = block === 0 ? undefined : code.facts(block);
    const same = (v: number): boolean => scalar(v) || (facts?.same[v] ?? false);
    const terms = linearTerms(program, code.value, same);
    const cores = terms.flatMap(({ core }) => core ?? []);
    return { block, terms, same, cost: closure(program, cores, same).filter((v) => !same(v)).length };
  });
  return choices.reduce((best, choice) => (choice.cost < best.cost ? choice : best));
}

/**
 * Writes the module of y = x·Wᵀ for `lines` lines of x, f32, and a packed W, which is decoded in registers: `run(args, first item, item behind the last)`; an
 * item is `rowsTogether` rows of W. What is the same over a block of a row is taken out of the sum over it.
 */
export function emitDot(loop: Loop, lines: number, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const w = new WasmLanes(3);
  const { lanes } = w;
  const code = new MatrixCode(w, loop, relaxed);
  const together = rowsTogether(lines);
  const { block, terms, same } = blockOf(code);
  const core = terms.find((t) => t.core !== undefined);
  const withSums = terms.some((t) => t.core === undefined);
  const cores = core ? [core.core!] : [];
  const targets = [...cores, ...terms.flatMap(({ factors }) => factors)];
  const used = code.usedBy(targets, () => false);
  const scalar = (v: number): boolean => loop.analysis.scalar[v]!;
  const firstWord = loopArguments(loop).length;
  const word = (name: (typeof DOT_WORDS)[number]): MatrixCode => code.word(firstWord + DOT_WORDS.indexOf(name)) as MatrixCode;

  const vector = (): Local => w.local(V128);
  const each = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
  const [left, size, column] = [code.i32(), code.i32(), code.i32()];
  const first = code.newPointers();
  const rows = each(together, (r) => ({
    pointers: r === 0 ? first : code.newPointers(first),
    number: code.i32(),
    totals: each(lines, vector),
    sums: block === 0 && !core?.factors.length ? [] : each(lines, vector),
  }));
  const eachRow = (write: (row: (typeof rows)[number], r: number) => void): void => rows.forEach((row, r) => w.scoped(() => write(row, r)));
  const x = each(lines, () => code.i32());
  const sumsOfX = each(withSums ? lines : 0, vector);
  const clear = (locals: readonly Local[]): void => locals.forEach((local) => w.get(lanes.f32(0)).set(local));
  const addProduct = (to: Local, a: Local, b: Local): void => {
    if (relaxed) w.get(a).get(b).get(to).simd(0x105);
    else w.get(a).get(b).simd(0xe6).get(to).simd(0xe4);
    w.set(to);
  };

  const elements = (width: number, places: readonly Place[]): void => {
    const facts = code.facts(width);
    const quads = each(Math.ceil(width / 4), (quad) => quad);
    const xs = x.map((line) =>
      quads.map(
        (quad) => () =>
          w
            .get(line)
            .simd(width === 1 ? 0x5c : 0x00, 0, quad * 16)
            .keep(),
      ),
    );
    const held = lines === 1 || withSums ? xs.map((line) => line.map((load) => load())) : undefined;
    sumsOfX.forEach((sum, i) => held![i]!.forEach((v) => w.get(lanes.add(sum, v)).set(sum)));
    eachRow(({ totals, sums, pointers }, r) => {
      if (!core) return;
      const into = sums.length > 0 ? sums : totals;
      const at = new Neighbours(code, facts, places[r]!);
      for (const quad of quads) {
        const value = at.lane(core.core!, quad);
        const weight =
          width === 1
            ? w
                .get(value)
                .get(w.constant(Int32Array.of(-1, 0, 0, 0)))
                .simd(0x4e)
                .keep()
            : value;
        x.forEach((_, i) => addProduct(into[i]!, weight, held?.[i]![quad] ?? xs[i]![quad]!()));
      }
      code.advance(
        pointers,
        used.filter((k) => !code.shared.includes(k)),
        width,
      );
    });
    code.advance(
      first,
      used.filter((k) => code.shared.includes(k)),
      width,
    );
    x.forEach((line) => code.addTo(line, () => void w.i32Const(width * 4)));
  };
  /** `left` elements; those of a whole block without a loop. */
  const sweep = (places: readonly Place[], whole = false): void => {
    clear(rows.flatMap(({ sums }) => sums));
    clear(sumsOfX);
    for (const width of [16, 4, 1]) {
      if (whole && width < 16) continue;
      if (whole && block <= UNROLLED) {
        for (let at = 0; at < block; at += width) w.scoped(() => elements(width, places));
        continue;
      }
      code.repeat(() => {
        w.get(left).i32Const(width);
        code.leaveIf(LESS);
        w.scoped(() => elements(width, places));
        w.get(left).i32Const(width);
        code.op(SUB);
        w.set(left);
      });
    }
    eachRow(({ totals, sums }, r) => {
      const at = new Neighbours(code, block === 0 ? code.facts(16) : code.facts(block), places[r]!);
      for (const term of terms) {
        const from = term.core === undefined ? sumsOfX : sums;
        if (from.length === 0) continue;
        const product = term.factors.map((v) => at.lane(v, 0)).reduce((a, b) => lanes.mul(a, b));
        const factor = term.negative ? lanes.neg(product) : product;
        totals.forEach((total, i) => addProduct(total, factor, from[i]!));
      }
    });
  };

  code.repeat(() => {
    w.get(ITEM).get(END);
    code.leaveIf(NOT_LESS);
    rows.forEach(({ pointers, number, totals }, r) => {
      // Behind the last row it once more, with the same result.
      w.get(ITEM).i32Const(together);
      code.op(MUL);
      w.i32Const(r);
      code.op(ADD);
      w.set(number);
      w.get(number);
      word("rows");
      w.i32Const(1);
      code.op(SUB);
      w.get(number);
      word("rows").op(LESS).op(SELECT);
      // less ? number : rows - 1
      w.set(number);
      w.get(number);
      word("columns").op(MUL);
      code.seek(pointers, column);
      clear(totals);
    });
    x.forEach((line, i) => {
      word("x");
      word("xLine");
      w.i32Const(i);
      code.op(MUL).op(ADD);
      w.set(line);
    });
    const ofRow = rows.map(({ pointers }) =>
      code.ahead(code.facts(16), { pointers, planes: code.planes, known: new Map() }, targets, scalar),
    );
    if (block === 0) {
      word("columns");
      w.set(left);
      sweep(ofRow);
    } else {
      word("columns");
      w.set(size);
      code.repeat(() => {
        w.get(size).i32Const(block);
        code.leaveIf(LESS);
        w.i32Const(block);
        w.set(left);
        w.scoped(() =>
          sweep(
            ofRow.map((place) => code.ahead(code.facts(block), place, targets, same)),
            true,
          ),
        );
        w.get(size).i32Const(block);
        code.op(SUB);
        w.set(size);
      });
      w.get(size);
      code.when(() => {
        w.get(size).set(left);
        w.scoped(() => sweep(ofRow.map((place) => code.ahead(code.facts(block), place, targets, same))));
      });
    }
    rows.forEach(({ number, totals }) => {
      totals.forEach((total, i) => {
        word("y");
        word("yLine");
        w.i32Const(i);
        code.op(MUL).op(ADD);
        w.get(number).i32Const(4);
        code.op(MUL).op(ADD);
        const pairs = lanes.add(total, w.shuffle(total, total, [2, 3, 0, 1]));
        w.get(lanes.add(pairs, w.shuffle(pairs, pairs, [1, 0, 3, 2]))).simd(0x1f, 0);
        w.code.raw(0x38, 2, 0);
      });
    });
    code.addTo(ITEM, () => void w.i32Const(1));
  });
  return w.module();
}
