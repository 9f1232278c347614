import type { IngressClass } from "../resources/ingressclass.ts";
import type { TranslateOptions } from "./options.ts";

/** Which class names are ours. `undefined` stands for an object that names no class. */
export type IsOurs = (className: string | undefined) => boolean;

export function ourClasses(classes: readonly IngressClass[], options: TranslateOptions): IsOurs {
  if (classes.length === 0 && options.classWithoutObject !== undefined) {
    return (className) => className === undefined || className === options.classWithoutObject;
  }
  const ours = classes.filter((each) => each.controller === options.controllerName);
  const names = new Set(ours.map((each) => each.name));
  const isDefault = ours.some((each) => each.isDefault);
  return (className) => (className === undefined ? isDefault : names.has(className));
}
