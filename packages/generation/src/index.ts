export { draw, type DrawPlace } from "./sampling/draw.js";
