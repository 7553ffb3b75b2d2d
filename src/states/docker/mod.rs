//! `docker_container.*`, `docker_image.*`, `docker_network.*` and `docker_volume.*`: asked of the Docker daemon over its socket.
//!
//! What an SLS says is compared with what the daemon says of a container, so that a preview makes nothing; Salt makes a
//! container for that. Values of variables are in nobody's command line and in no report.

mod container;
mod engine;
mod image;
mod network;
mod settings;
mod translate;
mod volume;

use crate::states::{Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("docker_container.running", container::running)
        .requires(&["image"])
        .takes(settings::ARGUMENTS)
        .checks(settings::check)
        .watches(container::watch),
    Function::new("docker_container.stopped", container::stopped)
        .takes(&["containers", "error_on_absent", "shutdown_timeout", "unpause"])
        .watches(container::stopped),
    Function::new("docker_container.absent", container::absent).takes(&["force"]).watches(|_| {
        let comment = "watch requisite is not implemented for absent";
        Ok(Return { result: Some(false), ..Return::unchanged(comment) })
    }),
    Function::new("docker_image.present", image::present).takes(&["force", "tag"]).watches(image::watch),
    Function::new("docker_image.absent", image::absent).takes(&["force", "images"]),
    Function::new("docker_network.present", network::present).takes(network::ARGUMENTS).checks(network::check),
    Function::new("docker_network.absent", network::absent),
    Function::new("docker_volume.present", volume::present).takes(&["driver", "driver_opts", "force"]),
    Function::new("docker_volume.absent", volume::absent).takes(&["driver"]),
];

#[cfg(test)]
mod tests;
