//! `rabbitmq_user`, `rabbitmq_vhost`, `rabbitmq_policy`, `rabbitmq_plugin`, `rabbitmq_cluster`.
//!
//! The broker is asked through its own `rabbitmqctl`, which reads passwords from its standard input: none is ever on a
//! command line. Brokers before 3.7.9 cannot do that, and fail.

mod cluster;
mod control;
mod plugin;
mod policy;
mod user;
mod vhost;

use crate::states::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("rabbitmq_cluster.join", cluster::joined).requires(&["host"]).takes(&["user", "ram_node", "runas"]),
    Function::new("rabbitmq_cluster.joined", cluster::joined).requires(&["host"]).takes(&["user", "ram_node", "runas"]),
    Function::new("rabbitmq_plugin.disabled", |call| plugin::set(call, false)).takes(&["runas"]),
    Function::new("rabbitmq_plugin.enabled", |call| plugin::set(call, true)).takes(&["runas"]),
    Function::new("rabbitmq_policy.absent", policy::absent).takes(&["vhost", "runas"]),
    Function::new("rabbitmq_policy.present", policy::present)
        .requires(&["pattern", "definition"])
        .takes(&["priority", "vhost", "runas", "apply_to"]),
    Function::new("rabbitmq_user.absent", user::absent).takes(&["runas"]),
    Function::new("rabbitmq_user.present", user::present).takes(&["password", "force", "tags", "perms", "runas"]),
    Function::new("rabbitmq_vhost.absent", vhost::absent),
    Function::new("rabbitmq_vhost.present", vhost::present),
];
