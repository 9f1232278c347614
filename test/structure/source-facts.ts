/** What the structure rules need to know of a source file, read from TypeScript's own syntax tree. */
import { relative, resolve } from "node:path";
import { type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";

export interface SourceFacts {
  /** From the root of the repository, `src/http1/body.ts`. */
  readonly path: string;
  /** As written: type-only imports, re-exports, `import()` and `typeof import()` included. */
  readonly imports: readonly string[];
  /** Whether the `Bun` global is named in it. */
  readonly namesBun: boolean;
  readonly lines: number;
}

/** Facts of each file of the project that lies in `root`, tests included, installed packages not. */
export async function readProject(root: string): Promise<SourceFacts[]> {
  const api = new API({ cwd: root });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [resolve(root, "tsconfig.json")] });
    const program = snapshot.getProjects()[0]!.program;
    const facts: SourceFacts[] = [];
    for (const name of await program.getSourceFileNames()) {
      const path = relative(root, name);
      if (path.startsWith("..") || path.includes("node_modules/") || name.startsWith("bundled:")) continue;
      const file = await program.getSourceFile(name);
      if (file !== undefined) facts.push(factsOf(path, file));
    }
    return facts;
  } finally {
    await api.close();
  }
}

function factsOf(path: string, file: SourceFile): SourceFacts {
  const imports: string[] = [];
  let namesBun = false;
  const visit = (node: Node): undefined => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push(specifier);
    if (node.kind === SyntaxKind.Identifier && textOf(node) === "Bun") namesBun = true;
    node.forEachChild(visit);
  };
  visit(file);
  return { path, imports, namesBun, lines: file.text.split("\n").length - 1 };
}

/** The module that an import of any form names, where it is written as a literal. */
function specifierOf(node: Node): string | undefined {
  const parts = node as Node & {
    moduleSpecifier?: Node;
    expression?: Node;
    arguments?: readonly Node[];
    argument?: Node & { literal?: Node };
  };
  switch (node.kind) {
    case SyntaxKind.ImportDeclaration:
    case SyntaxKind.ExportDeclaration:
      return parts.moduleSpecifier && textOf(parts.moduleSpecifier);
    case SyntaxKind.ImportType:
      return parts.argument?.literal && textOf(parts.argument.literal);
    case SyntaxKind.CallExpression: {
      const callee = parts.expression;
      const imports = callee?.kind === SyntaxKind.ImportKeyword;
      const requires = callee?.kind === SyntaxKind.Identifier && textOf(callee) === "require";
      return (imports || requires) && parts.arguments?.[0] ? textOf(parts.arguments[0]) : undefined;
    }
    default:
      return undefined;
  }
}

function textOf(node: Node): string {
  return (node as Node & { text?: string }).text ?? "";
}
