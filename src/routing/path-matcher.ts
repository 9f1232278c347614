/** The rules of one host by path: exact, then the longest prefix by elements (Kubernetes Ingress, Gateway API). */

interface Node<T> {
  value: T | undefined;
  children: Map<string, Node<T>> | undefined;
}

/**
 * A look-up costs as many steps as the path shares elements with the rules, whatever their number and however long the path is.
 */
export class PathMatcher<T> {
  private readonly exact = new Map<string, T>();
  private readonly root: Node<T> = { value: undefined, children: undefined };

  /** For equal paths the earlier rule stays. */
  add(type: "exact" | "prefix", path: string, value: T): void {
    if (type === "exact") {
      if (!this.exact.has(path)) this.exact.set(path, value);
      return;
    }
    let node = this.root;
    for (const element of path.split("/").slice(1)) {
      node.children ??= new Map();
      let child = node.children.get(element);
      if (!child) node.children.set(element, (child = { value: undefined, children: undefined }));
      node = child;
    }
    node.value ??= value;
  }

  /** `path` begins with a slash and is normalized. */
  match(path: string): T | undefined {
    if (this.exact.size > 0) {
      const found = this.exact.get(path);
      if (found !== undefined) return found;
    }
    let node = this.root;
    let best = node.value;
    let at = 1;
    while (node.children !== undefined && at <= path.length) {
      const slash = path.indexOf("/", at);
      const end = slash < 0 ? path.length : slash;
      const child = node.children.get(path.slice(at, end));
      if (child === undefined) break;
      if (child.value !== undefined) best = child.value;
      node = child;
      at = end + 1;
    }
    return best;
  }
}
