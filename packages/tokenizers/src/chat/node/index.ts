export { openChatTemplate } from "./open-chat-template.js";
