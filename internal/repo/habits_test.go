package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fixedPort is an address on this machine with a port of its own: two runs of such a test get in each other's way.
// Port 0 asks for a free one, and ports of one digit are where nothing listens.
var fixedPort = regexp.MustCompile(`^(\w+://)?(\w+(:\w+)?@)?(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])?:[1-9]\d{1,4}(/.*)?$`)

func TestTestsNeitherSleepNorClaimPorts(t *testing.T) {
	found := map[string]string{}
	for _, path := range matching(files(t), "_test.go") {
		if habits := habits(t, path, read(t, path)); len(habits) > 0 {
			found[path] = strings.Join(habits, ", ")
		}
	}
	except(t, "habits.txt", found)
}

func TestSleepingAndClaimingPortsIsFound(t *testing.T) {
	const src = `package p
import "time"
func f() { time.Sleep(1); _ = ":4222"; _ = "nats://127.0.0.1:4222"; _ = "127.0.0.1:0"; _ = "http://prometheus:9090" }`
	if got := habits(t, "p_test.go", src); len(got) != 3 {
		t.Errorf("found %q, want the sleep and two ports", got)
	}
}

// habits lists what a test file should not do. In a file with testing/synctest a sleep is taken to be one of its bubbles'.
func habits(t *testing.T, path, src string) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parse %s: %v", path, err)
	}
	bubbles := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && n.Sel.Name == "Sleep" && !bubbles {
				found = append(found, fmt.Sprintf("line %d sleeps: wait for what the test waits for", fset.Position(n.Pos()).Line))
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && fixedPort.MatchString(text) {
				found = append(found, fmt.Sprintf("line %d has the fixed port of %q: take port 0", fset.Position(n.Pos()).Line, text))
			}
		}
		return true
	})
	return found
}

// machinePath is a path of one person's machine.
var machinePath = regexp.MustCompile(strings.Join([]string{
	`/home/[a-z][-a-z0-9]*/`, `/Users/[A-Za-z]\w*/`, `/root/\w`, `/work/(main|shared|\.library)`, `[A-Z]:\\Users\\`,
}, "|"))

func TestNoFileNamesAPersonsMachine(t *testing.T) {
	for _, path := range files(t) {
		text := read(t, path)
		if strings.Contains(text, "\x00") || path == "internal/repo/habits_test.go" {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if m := machinePath.FindString(line); m != "" {
				t.Errorf("%s:%d: a path of one machine: %s", path, i+1, m)
			}
		}
	}
}
