package repo

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/serin-cd/serin"
	root   = "../.."
)

// files lists the repository's files, slash-separated from its root: what git tracks or would track, or, outside a git
// work tree, what is there.
func files(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return walked(t)
	}
	var paths []string
	for _, path := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Lstat(filepath.Join(root, path)); err == nil { // deleted ones are still in the index
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func walked(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".serin", "bin", "dist", "node_modules"}, d.Name()):
			return fs.SkipDir
		case !d.IsDir():
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk the repository: %v", err)
	}
	return paths
}

// matching keeps the paths that end in suffix.
func matching(paths []string, suffix string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !strings.HasSuffix(p, suffix) })
}

// read is the text of a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return string(data)
}

// exceptions reads a list of testdata: lines `WHAT  the reason`, and comments. It fails where a reason is missing.
func exceptions(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("open the exceptions: %v", err)
	}
	defer f.Close()
	list := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			t.Errorf("testdata/%s: %s has no reason", name, what)
		}
		list[what] = reason
	}
	return list
}

// except fails for each found thing that is no exception, and for each exception that is found no longer.
func except(t *testing.T, name string, found map[string]string) {
	t.Helper()
	allowed := exceptions(t, name)
	for what, says := range found {
		if _, ok := allowed[what]; !ok {
			t.Errorf("%s: %s; mend it, or write it with a reason into internal/repo/testdata/%s", what, says, name)
		}
	}
	for what := range allowed {
		if _, ok := found[what]; !ok {
			t.Errorf("%s: no exception is needed any more, remove it from internal/repo/testdata/%s", what, name)
		}
	}
}
