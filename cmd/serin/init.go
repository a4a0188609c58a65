package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
)

// initFlags are those of `serin init`.
type initFlags struct {
	service, from, output string
	force                 bool
}

func newInit(env Env) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a first policy, from what Prometheus has of the service",
		Long: "Init writes a first policy of about ten lines to FILE, SERVICE.yaml unless named, or to the output with -. With\n" +
			"--from-prometheus it looks for the service's requests, their time, and the labels that name the service and its version,\n" +
			"writes rules of what is there, and says why. It never overwrites a file without --force.",
		Example: "  serin init --service checkout\n" +
			"  serin init --service checkout -\n" +
			"  serin init --service checkout --from-prometheus http://127.0.0.1:9090",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.output = f.service + ".yaml"
			if len(args) == 1 {
				f.output = args[0]
			}
			return initPolicy(cmd.Context(), env, f)
		},
	}
	cmd.Flags().StringVar(&f.service, "service", "my-service", "the service, as its metrics name it")
	cmd.Flags().StringVar(&f.from, "from-prometheus", "", "Prometheus URL to look at")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite FILE")
	return cmd
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

func initPolicy(ctx context.Context, env Env, f initFlags) error {
	if !serviceName.MatchString(f.service) {
		return exitError{code: exitUsage, err: fmt.Errorf("--service %q is no name: use 1 to 63 letters, digits, - and _", f.service)}
	}
	if f.from == "" {
		return writePolicy(env, f, survey.Template(f.service))
	}
	u, err := url.Parse(f.from)
	switch {
	case err != nil || u.Host == "": // neither is repeated: both may hold a password
		return exitError{code: exitUsage, err: errors.New("--from-prometheus is no URL: write for example http://127.0.0.1:9090")}
	case f.service == "my-service":
		return exitError{code: exitUsage, err: errors.New("name the service whose metrics to look for: --service checkout")}
	}
	client := &prometheus.Client{}
	defer func() { _ = client.Close() }()
	s := surveyor{asker: asker{client: client, source: &analysis.Source{URL: f.from}, at: env.Now()}, vars: rules.Vars{Service: f.service}}
	seen, err := s.look(ctx)
	if err != nil {
		return err
	}
	seen.URL = withoutSecrets(f.from)
	if err := writePolicy(env, f, seen.Policy()); err != nil {
		return err
	}
	if seen.Requests.Version == "" {
		return fmt.Errorf("no label of %s tells the versions of %s apart: without one there is no data, and no release passes; "+
			"add a label \"version\" to what the service exports, or by relabelling, or write another label into the policy", seen.Requests.Metric, f.service)
	}
	return nil
}

// writePolicy writes a policy that a check of it would pass.
func writePolicy(env Env, f initFlags, text string) error {
	if _, findings := deployments.ParsePolicies(f.output, []byte(text)); findings.Err() != nil {
		return fmt.Errorf("this policy would not pass its check, which is a fault of serin:\n%s\n%w", text, findings.Err())
	}
	if f.output == "-" {
		_, err := fmt.Fprint(env.Stdout, text)
		return err
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if f.force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(env.Path(f.output), how, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: name another file, or overwrite it with --force", f.output)
	}
	if err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	next := "serin check " + f.output
	if f.from != "" {
		next = "serin check --online " + f.output
	}
	_, err = fmt.Fprintf(env.Stdout, "wrote %s; next: %s\n", f.output, next)
	return err
}
