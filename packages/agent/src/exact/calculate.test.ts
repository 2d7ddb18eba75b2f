import { describe, expect, it } from "vitest";
import { calculate } from "./calculate.js";

const text = (expression: string): string => calculate(expression).text;
const kind = (expression: string): string => {
  try {
    return text(expression);
  } catch (error) {
    return (error as { kind: string }).kind;
  }
};

describe("what is rational is exact", () => {
  // Values by Python's fractions and math.
  it.each([
    ["0.1 + 0.2", "3/10 = 0.3"],
    ["2^1000 mod 7", "2"],
    ["10^400", `1${"0".repeat(400)}`],
    ["7^(10^100) mod 13", "9"],
    ["-7 mod 3", "2"],
    ["1/3", "1/3 ≈ 0.33333333333333333333"],
    ["-2^2", "-4"],
    ["2^3^2", "512"],
    ["2^-1", "1/2 = 0.5"],
    ["0^0", "1"],
    ["1e-3 * 1000", "1"],
    ["10!", "3628800"],
    ["binomial(50, 25)", "126410606437752"],
    ["gcd(2^40, 6^20)", "1048576"],
    ["lcm(4, 6, 10)", "60"],
    ["floor(-7/2) + ceil(-7/2) + round(5/2)", "-4"],
    ["8^(1/3)", "2"],
    ["sqrt(9/4)", "3/2 = 1.5"],
    ["log2(1024) + log(1/9, 3)", "8"],
    ["max(1/3, 0.3) - min(2, 1)", "-2/3 ≈ -0.66666666666666666667"],
    ["(3 − 1) × 4 ÷ 2", "4"],
  ])("%s is %s", (expression, value) => expect(text(expression)).toBe(value));
});

describe("what is irrational lies between rationals", () => {
  // By mpmath with 60 digits.
  it.each([
    ["sqrt(2)", "1.41421356237309504880168872420969807856967187537694807317668"],
    ["pi", "3.14159265358979323846264338327950288419716939937510582097494"],
    ["e", "2.71828182845904523536028747135266249775724709369995957496697"],
    ["exp(-20)", "0.00000000206115362243855782796594038015582097637580727559910"],
    ["ln(2)", "0.69314718055994530941723212145817656807550013436025525412068"],
    ["ln(10^50)", "115.12925464970228420089957273421821038005507443143864880166640"],
    ["sin(1)", "0.84147098480789650665250232163029899962256306079837106567275"],
    ["cos(100)", "0.86231887228768393410193851395084253551008400853551082928016"],
    ["tan(1)", "1.55740772465490223050697480745836017308725077238152003838395"],
    ["2^sqrt(2)", "2.66514414269022518865029724987313984827421131371465949283598"],
  ])("%s", (expression, digits) => {
    const { between } = calculate(expression);
    const [lo, hi] = between!.map((end) => end.split("/").map(BigInt)) as [bigint[], bigint[]];
    const [, whole, decimals] = /^(\d+)\.(\d+)$/u.exec(digits)!;
    const [n, d] = [BigInt(whole! + decimals!), 10n ** BigInt(decimals!.length)];
    // The digits are rounded: both ends are within one unit of the last of them, and the true value lies between.
    expect(lo[0]! * d - (n + 1n) * lo[1]!).toBeLessThan(0n);
    expect(hi[0]! * d - (n - 1n) * hi[1]!).toBeGreaterThan(0n);
    expect((hi[0]! * lo[1]! - lo[0]! * hi[1]!) * 10n ** 50n).toBeLessThan(hi[1]! * lo[1]! * 100n);
  });

  it("and intervals are carried through", () => {
    expect(calculate("[1, 2] * [-3, 4]").between).toEqual(["-6", "8"]);
    expect(calculate("[-2, 3]^2").between).toEqual(["0", "9"]);
    expect(text("5 ± 0.1")).toBe("between 4.9 and 5.1");
    expect(text("sqrt(2)")).toBe("≈ 1.41421356237309504880 (rounded)");
    expect(kind("1 / [-1, 1]")).toBe("calculation");
  });
});

describe("units", () => {
  it.each([
    ["60 km / (2 h) to m/s", "25/3 ≈ 8.33333333333333333333 m/s"],
    ["3 km + 200 m", "3200 m"],
    ["20 degC to degF", "68 degF"],
    ["-40 degF to degC", "-40 degC"],
    ["1 mi to km", "25146/15625 = 1.609344 km"],
    ["3 kWh to MJ", "54/5 = 10.8 MJ"],
    ["1 KiB in bit", "8192 bit"],
    ["5 kg * 9.81 m/s^2 to N", "981/20 = 49.05 N"],
    ["sqrt(16 m^2)", "4 m"],
    ["1 L to cm^3", "1000 cm^3"],
    ["2 N", "2 m kg/s^2"],
  ])("%s is %s", (expression, value) => expect(text(expression)).toBe(value));

  it("of different kinds do not add", () => {
    expect(() => calculate("3 m + 2 s")).toThrow(/m and s are of different kinds/);
    expect(() => calculate("3 m to s")).toThrow(/different kinds/);
    expect(() => calculate("sqrt(3 m)")).toThrow(/no root/);
    expect(() => calculate("1/2 m")).toThrow(/two ways/);
    expect(() => calculate("degC + 1 K")).toThrow(/does not begin at zero/);
  });
});

it("what means nothing, and what has no value, is an error that says where", () => {
  expect(() => calculate("1 + ")).toThrow("expected a value at character 5, got the end");
  expect(() => calculate("2 $ 3")).toThrow(/"\$" means nothing here \(character 3\)/);
  expect(() => calculate("foo(1)")).toThrow(/no function foo/);
  expect(() => calculate("1 = 1")).toThrow(/is a relation/);
  for (const expression of ["1/0", "0^-1", "ln(0)", "sqrt(-1)", "1.5!", "2 mod 0", "constructor", "__proto__(1)", "x"])
    expect(kind(expression)).toBe("calculation");
});

it("a long sum is no deep recursion", () => {
  expect(text(`1${" + 1".repeat(2400)}`)).toBe("2401");
  expect(text(`2${"*1".repeat(4900)}`)).toBe("2");
});

it("what would take too long is refused", () => {
  for (const expression of [
    "9^9^9",
    "10^(10^10)",
    "100000!",
    "exp(10^9)",
    "2^(1/1000)",
    "1e999999999",
    "(".repeat(300),
    `1${"+1".repeat(6000)}`,
    "(2^60000)*(2^60000)",
    "m^100000",
    `3${"!".repeat(900)}`,
  ])
    expect([expression.slice(0, 20), kind(expression)]).toEqual([expression.slice(0, 20), "limit"]);
});
