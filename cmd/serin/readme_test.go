package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/internal/repo"
)

func TestCommandsInPagesExist(t *testing.T) {
	const root = "../.."
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "node_modules", "testdata"}, d.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".md" || path == "CHANGELOG.md":
			return nil
		}
		page, err := os.ReadFile(filepath.Join(root, path))
		for _, command := range repo.Commands(string(page), "serin") {
			if wrong := unknown(command[1:]); wrong != "" {
				t.Errorf("%s: `%s`: %s", path, strings.Join(command, " "), wrong)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnknownCommandsAndFlagsAreFound(t *testing.T) {
	tests := map[string]string{
		"version -o json":  "",
		"--version":        "",
		"version --help":   "",
		"ship":             `unknown command "ship" for "serin"`,
		"version --output": "",
		"version --short":  "serin version has no flag --short",
		"version -x":       "serin version has no flag -x",
	}
	for line, want := range tests {
		if got, _, _ := strings.Cut(unknown(strings.Fields(line)), "\n"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// unknown says which command or flag of a command line does not exist, or "".
func unknown(args []string) string {
	root := newRoot(Env{Stdout: io.Discard, Stderr: io.Discard})
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	if cmd == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "help" && rest[0] != "completion" {
		return "no command " + rest[0]
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(arg, "=")
		if strings.HasPrefix(name, "-") && len(name) > 1 && !hasFlag(cmd, name) {
			return cmd.CommandPath() + " has no flag " + name
		}
	}
	return ""
}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	if long, ok := strings.CutPrefix(name, "--"); ok {
		return long == "" || cmd.Flags().Lookup(long) != nil || cmd.InheritedFlags().Lookup(long) != nil
	}
	short := name[1:2]
	return cmd.Flags().ShorthandLookup(short) != nil || cmd.InheritedFlags().ShorthandLookup(short) != nil
}
