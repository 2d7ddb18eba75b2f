declare module "tau-prolog";
