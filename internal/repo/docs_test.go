package repo

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryPackageIsExplainedInItsDocGo(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		commented := map[string]bool{}
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Errorf("parse %s: %v", file, err)
				continue
			}
			if f.Doc != nil {
				commented[file] = true
				if !strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" ") && f.Name.Name != "main" {
					t.Errorf("%s/%s: the package comment does not begin with \"Package %s\"", name, file, f.Name.Name)
				}
			}
		}
		if !commented["doc.go"] {
			t.Errorf("%s: no doc.go with the package comment", name)
		}
		delete(commented, "doc.go")
		for file := range commented {
			t.Errorf("%s: a package comment in %s, it belongs into doc.go alone", name, file)
		}
	}
}
