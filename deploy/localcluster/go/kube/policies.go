package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

const (
	chain = "LOCALCLUSTER-POLICIES"
	queue = "100"
)

// policies enforces NetworkPolicies: the kernel shows it the first packet of every connection, after Services' addresses have
// become those of pods and before sources are hidden. The library would ask by nftables, for which some kernels lack the
// queue; iptables has it on all of them. Where this process is dead everything is let through.
type policies struct {
	kubeconfig, node, file string
}

func newPoliciesCommand() *cobra.Command {
	var p policies
	cmd := &cobra.Command{Use: "network-policies", SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return p.run(ctx)
	}}
	cmd.Flags().StringVar(&p.kubeconfig, "kubeconfig", "", "how to reach the API server")
	cmd.Flags().StringVar(&p.node, "node", "", "the node whose pods are guarded")
	cmd.Flags().StringVar(&p.file, "file", "", "the file that is there as long as it guards")
	return cmd
}

func (p policies) run(ctx context.Context) error {
	client, err := clientOf(p.kubeconfig)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client,
		factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods(),
		nil, nil, nil, nil, networkpolicy.Config{NodeName: p.node, FailOpen: true})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := ask(); err != nil {
		return err
	}
	defer askNoMore()
	if err := os.WriteFile(p.file, nil, 0o644); err != nil {
		return err
	}
	defer os.Remove(p.file)
	return controller.Run(ctx)
}

// ask has new connections shown to us, but those of the node's own programs, such as the kubelet's probes.
func ask() error {
	askNoMore()
	for _, rule := range []string{
		"-N " + chain,
		"-A " + chain + " -m owner --uid-owner 0 -j RETURN",
		"-A " + chain + " -m conntrack --ctstate NEW -j NFQUEUE --queue-num " + queue + " --queue-bypass",
		"-A POSTROUTING -j " + chain,
	} {
		if err := iptables(rule); err != nil {
			return err
		}
	}
	return nil
}

func askNoMore() {
	for _, rule := range []string{"-D POSTROUTING -j " + chain, "-F " + chain, "-X " + chain} {
		_ = iptables(rule)
	}
}

func iptables(rule string) error {
	return exec.Command("iptables", append([]string{"-w", "-t", "mangle"}, strings.Fields(rule)...)...).Run()
}
