import { ApiError } from "../http/api-error.js";

/** What a field may be. */
export interface Kind<T> {
  readonly expected: string;
  is(value: unknown): value is T;
}

const kind = <T>(expected: string, is: (value: unknown) => boolean): Kind<T> => ({ expected, is: is as Kind<T>["is"] });

export const isObject = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isList = (value: unknown, is: (one: unknown) => boolean): boolean => Array.isArray(value) && value.length > 0 && value.every(is);
const isText = (value: unknown): boolean => typeof value === "string";

export const string: Kind<string> = kind("a string", isText);
export const boolean: Kind<boolean> = kind("true or false", (v) => typeof v === "boolean");
export const object: Kind<{ readonly [field: string]: unknown }> = kind("an object", isObject);
export const objects: Kind<readonly { readonly [field: string]: unknown }[]> = kind("a list of objects", (v) => isList(v, isObject));
export const texts: Kind<string | readonly string[]> = kind("a string or a list of strings", (v) => isText(v) || isList(v, isText));
export const number = (least: number, most: number): Kind<number> =>
  kind(`a number from ${least} to ${most}`, (v) => typeof v === "number" && v >= least && v <= most);
export const integer = (least: number, most: number = Number.MAX_SAFE_INTEGER): Kind<number> =>
  kind(most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least} up` : `a whole number from ${least} to ${most}`, (v) => {
    return Number.isSafeInteger(v) && (v as number) >= least && (v as number) <= most;
  });
export const oneOf = <T>(...values: readonly T[]): Kind<T> =>
  kind(values.map((value) => JSON.stringify(value)).join(" or "), (v) =>
    values.some((value) => JSON.stringify(value) === JSON.stringify(v)),
  );
export const tokens: Kind<readonly number[]> = kind("a list of tokens", (v) => isList(v, (one) => integer(0).is(one)));

/** Fields of a request, which are taken one by one; what is left at the end is refused. A field that is null is as if not there. */
export class Fields {
  private readonly left: Map<string, unknown>;
  private readonly place: string;

  /** @param place of the object in the body: `"stream_options."` @throws ApiError 400 */
  constructor(value: unknown, place = "") {
    if (!isObject(value)) throw new ApiError(400, `${place === "" ? "the body" : place.slice(0, -1)} is no object`);
    this.left = new Map(Object.entries(value).filter(([, one]) => one !== null));
    this.place = place;
  }

  /** @throws ApiError 400 naming field, expected and got */
  take<T>(name: string, expected: Kind<T>): T | undefined {
    const value = this.left.get(name);
    this.left.delete(name);
    if (value === undefined || expected.is(value)) return value;
    throw this.error(name, `is ${JSON.stringify(value).slice(0, 80)}, expected ${expected.expected}`);
  }

  /** @throws ApiError 400 also if it is not there */
  require<T>(name: string, expected: Kind<T>): T {
    const value = this.take(name, expected);
    if (value === undefined) throw this.error(name, `is missing, expected ${expected.expected}`);
    return value;
  }

  error(name: string, what: string): ApiError {
    const param = `${this.place}${name}`;
    return new ApiError(400, `${param} ${what}`, { param });
  }

  /**
   * Refuses what nobody has taken.
   * @param harmless fields that change no answer
   * @throws ApiError 400 naming it
   */
  end(harmless: readonly string[] = []): void {
    for (const name of this.left.keys())
      if (!harmless.includes(name)) {
        const param = `${this.place}${name}`;
        throw new ApiError(400, `${param} is not supported`, { param, code: "unknown_parameter" });
      }
  }
}

/** Who asks and what for, which is not read. */
export const HARMLESS: readonly string[] = ["user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier"];
