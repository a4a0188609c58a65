package main

import (
	"github.com/spf13/cobra"
)

func newList(env Env) *cobra.Command {
	var f natsFlags
	var environment, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all services: where their rollouts are, and how the last ones ended",
		Long:  "List is `serin status` without SERVICE.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			return statusOfAll(cmd.Context(), env, r, environment, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "env", "", "only services of this environment (default all)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}
