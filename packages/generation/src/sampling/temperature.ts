/**
 * l / temperature.
 * @param logits [vocab], changed in place
 * @param temperature above 0
 * @see transformers `TemperatureLogitsWarper`
 */
export function temperature(logits: Float32Array, temperature: number): void {
  for (let i = 0; i < logits.length; i++) logits[i]! /= temperature;
}
