package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

const (
	fileLimit     = 300 // lines of a Go file
	testFileLimit = 500 // lines of a test file: tables are long
	functionLimit = 40  // lines of a function outside tests, from its first to its last
)

func TestFilesAndFunctionsStayShort(t *testing.T) {
	long := map[string]string{}
	for _, path := range matching(files(t), ".go") {
		src := read(t, path)
		if generated(src) {
			continue
		}
		limit, isTest := fileLimit, strings.HasSuffix(path, "_test.go")
		if isTest {
			limit = testFileLimit
		}
		if lines := strings.Count(src, "\n"); lines > limit {
			long[path] = fmt.Sprintf("%d lines, limit %d", lines, limit)
		}
		if isTest {
			continue
		}
		for name, lines := range functions(t, path, src) {
			if lines > functionLimit {
				long[path+":"+name] = fmt.Sprintf("%d lines, limit %d", lines, functionLimit)
			}
		}
	}
	except(t, "long.txt", long)
}

func TestLongFunctionsAreFound(t *testing.T) {
	src := "package p\n\ntype T struct{}\n\nfunc (t *T) M() {\n" + strings.Repeat("\tprintln()\n", 38) + "}\n\nfunc f() {}\n"
	if got := functions(t, "p.go", src); got["T.M"] != 40 || got["f"] != 1 {
		t.Errorf("lines of functions %v, want T.M 40 and f 1", got)
	}
}

// functions counts the lines of each function of a file.
func functions(t *testing.T, path, src string) map[string]int {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parse %s: %v", path, err)
	}
	lines := map[string]int{}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			lines[name(fn)] = fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
		}
	}
	return lines
}

// name is a function's name, with its receiver's type in front.
func name(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	switch typ := receiver.(type) {
	case *ast.IndexExpr:
		receiver = typ.X
	case *ast.IndexListExpr:
		receiver = typ.X
	}
	return fmt.Sprint(receiver, ".", fn.Name.Name)
}

func generated(src string) bool { return strings.HasPrefix(src, "// Code generated ") }
