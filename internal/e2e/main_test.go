//go:build e2e && unix

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin has the programs built from this tree: serin, service, and the nats-server of our go.mod.
var bin string

// The tests wait most of the time: more of them may run at once than there are processors.
const parallel = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "serin-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := buildAll(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func buildAll() error {
	race := []string{"-race"}
	if err := build("serin", "../../cmd/serin", race...); err != nil {
		fmt.Fprintln(os.Stderr, "built without the race detector:", err)
		if err := build("serin", "../../cmd/serin"); err != nil {
			return err
		}
	}
	if err := build("service", "./service"); err != nil {
		return err
	}
	return build("nats-server", "github.com/nats-io/nats-server/v2")
}

func build(name, pkg string, args ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", filepath.Join(bin, name)}, args...), pkg)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// needs skips the test where a program of a Debian package is missing.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip(program + " is not on the PATH; 'make deps-e2e' installs it")
	}
	return path
}
