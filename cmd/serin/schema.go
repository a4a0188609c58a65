package main

import (
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/policyfile"
)

func newSchema(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policies, for editors",
		Long: "Schema prints the JSON Schema of policies: editors complete keys by it, and show what each means. What is wrong with a\n" +
			"policy, and what cures it, is said by `serin check`.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(policyfile.Schema())
			return err
		},
	}
}
