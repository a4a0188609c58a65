package repo

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// pages are the Markdown files for readers.
func pages(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(matching(files(t), ".md"), func(p string) bool { return strings.Contains(p, "testdata/") })
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)

func TestMakeCommandsInPagesExist(t *testing.T) {
	var targets []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	for _, page := range pages(t) {
		for _, command := range Commands(read(t, page), "make") {
			for _, word := range command[1:] {
				if !strings.Contains(word, "=") && !slices.Contains(targets, word) {
					t.Errorf("%s: `%s`: the Makefile has no target %q", page, strings.Join(command, " "), word)
				}
			}
		}
	}
}

func TestEveryTargetMeantForPeopleIsExplained(t *testing.T) {
	help := regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):[^=\n]*## \S`)
	var explained []string
	for _, m := range help.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		explained = append(explained, m[1])
	}
	for _, want := range []string{"help", "build", "demo", "test", "check", "lint", "fuzz", "bench", "e2e", "deps-e2e", "golden", "cover", "clean"} {
		if !slices.Contains(explained, want) {
			t.Errorf("`make help` does not explain %q", want)
		}
	}
}

func TestLinksInPagesLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, link := range Links(read(t, page)) {
			to := path.Join(path.Dir(page), link)
			if strings.HasPrefix(link, "/") {
				to = link[1:]
			}
			if _, err := os.Stat(filepath.Join(root, to)); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the link to %s leads nowhere", page, link)
			}
		}
	}
}

func TestYAMLInPagesIsYAML(t *testing.T) {
	for _, page := range pages(t) {
		for _, block := range Blocks(read(t, page)) {
			if block.Lang != "yaml" {
				continue
			}
			file, _ := yamldoc.Parse(page, []byte(strings.Repeat("\n", block.Line-1)+block.Code))
			if err := file.Findings.Err(); err != nil {
				t.Error(err)
			}
		}
	}
}

// The decision that matters most is easy to find: README.md links to a file that holds it, or that names the one which
// does. The decision is the function whose comment says "is the rollback decision".
func TestRollbackDecisionIsWithinThreeFilesOfREADME(t *testing.T) {
	if _, err := os.Stat(filepath.Join(root, "README.md")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md")
	}
	first := Links(read(t, "README.md"))
	if !slices.Contains(first, "steps/next.go") {
		t.Error("README.md does not link to steps/next.go")
	}
	for _, second := range first {
		if !strings.HasSuffix(second, ".go") && !strings.HasSuffix(second, ".md") {
			continue
		}
		if decides(t, second) || slices.ContainsFunc(named(t, second), func(third string) bool { return decides(t, third) }) {
			return
		}
	}
	t.Errorf("no function with the comment \"is the rollback decision\" in the files that README.md links to (%s), nor in the files these name",
		strings.Join(first, ", "))
}

var goFile = regexp.MustCompile(`\b[\w/]+\.go\b`)

// named lists the files beside a file which it names: a page by links, code by their names.
func named(t *testing.T, file string) []string {
	t.Helper()
	text := read(t, file)
	names := goFile.FindAllString(text, -1)
	if strings.HasSuffix(file, ".md") {
		names = Links(text)
	}
	var beside []string
	for _, name := range names {
		to := path.Join(path.Dir(file), name)
		if _, err := os.Stat(filepath.Join(root, to)); err == nil {
			beside = append(beside, to)
		}
	}
	return beside
}

// decides reports whether a Go file holds the rollback decision.
func decides(t *testing.T, file string) bool {
	t.Helper()
	if !strings.HasSuffix(file, ".go") {
		return false
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && strings.Contains(fn.Doc.Text(), "is the rollback decision")
	})
}
