package main

import (
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/policyfile"
)

func newSchema(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [policy|tests]",
		Short: "Print the JSON Schema of policies, or of their tests, for editors",
		Long: "Schema prints the JSON Schema of policies, or of the files that `serin test` runs: editors complete keys by it, and show what\n" +
			"each means. What is wrong with a policy, and what cures it, is said by `serin check`.",
		Example: "  serin schema > policy.schema.json\n" +
			"  serin schema tests > tests.schema.json",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"policy", "tests"},
		RunE: func(_ *cobra.Command, args []string) error {
			text := policyfile.Schema()
			if len(args) > 0 && args[0] == "tests" {
				text = policyfile.TestsSchema()
			}
			_, err := env.Stdout.Write(text)
			return err
		},
	}
}
