package main

import (
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/eventschema"
	"github.com/serin-cd/serin/deployments/policyfile"
)

func newSchema(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [policy|tests|events|release]",
		Short: "Print the JSON Schema of policies, of their tests, of events, or of releases",
		Long: "Schema prints the JSON Schema of policies, or of the files that `serin test` runs: editors complete keys by it, and show what\n" +
			"each means. What is wrong with a policy, and what cures it, is said by `serin check`.\n" +
			"For programs it prints the schema of the events that Serin publishes, the data of each below $defs, and of a release's data.",
		Example: "  serin schema > policy.schema.json\n" +
			"  serin schema tests > tests.schema.json\n" +
			"  serin schema events > events.schema.json",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"policy", "tests", "events", "release"},
		RunE: func(_ *cobra.Command, args []string) error {
			text := policyfile.Schema()
			if len(args) > 0 {
				switch args[0] {
				case "tests":
					text = policyfile.TestsSchema()
				case "events":
					text = eventschema.Events()
				case "release":
					text = eventschema.Release()
				}
			}
			_, err := env.Stdout.Write(text)
			return err
		},
	}
}
