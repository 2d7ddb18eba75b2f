// `node scripts/run-example.mjs examples/agent-self-train/main.ts`
import { Executor } from "@weft/agent";
import { EXTENT, type Measured, selfTrain } from "./self-train.js";

const executor = new Executor();
const report = await selfTrain(executor, EXTENT, (step, loss) => {
  if (step % 20 === 0) console.log(`step ${step}  loss ${loss.toFixed(4)}`);
});
await executor.dispose();
const told = ({ validCalls, accuracy }: Measured): string =>
  `valid calls ${(100 * validCalls).toFixed(0)} %, verified answers ${(100 * accuracy).toFixed(0)} %`;
console.log(`taught ${report.taught} tasks, of which ${report.verified} were verified: ${report.rows} chats to train on`);
console.log(`before:              ${told(report.before)}`);
console.log(`before, constrained: ${told(report.constrained)}`);
console.log(`after:               ${told(report.after)}`);
