//! What a build without libtorch has in place of drawing on a device: nothing.

#![allow(
    clippy::unused_self,
    clippy::needless_pass_by_value,
    reason = "as with libtorch"
)]

use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use burn::tensor::Tensor;

use super::clock::Mark;
use feature_grid::Drawing;

/// There are none.
pub(crate) struct DeviceMaps(Infallible);
pub(crate) struct Drawn(Infallible);
pub(crate) struct DeviceBytes(Infallible);
pub(crate) struct OnItsWay(Infallible);
pub(crate) struct HostBytes(Infallible);

/// Nothing is ever added.
#[derive(Default)]
pub(crate) struct ReadBack(());

impl DeviceMaps {
    pub(crate) fn of(_: Tensor<4>) -> Option<Self> {
        None
    }
    pub(crate) fn are_on_host(&self) -> bool {
        match self.0 {}
    }
    pub(crate) fn place(&self) -> usize {
        match self.0 {}
    }
    pub(crate) fn is_beside(&self, _: &Self) -> bool {
        match self.0 {}
    }
    pub(crate) fn mark(&self) -> Mark {
        match self.0 {}
    }
    pub(crate) fn bytes(&self) -> Result<DeviceBytes, String> {
        match self.0 {}
    }
    pub(crate) fn draw(&self, _: &Drawing, _: Option<&[usize]>) -> Result<Drawn, String> {
        match self.0 {}
    }
    pub(crate) fn change_from(
        &self,
        _: &Self,
        _: Option<&Drawing>,
        _: Option<&[usize]>,
    ) -> Result<(Option<DeviceBytes>, DeviceBytes), String> {
        match self.0 {}
    }
}

impl Drawn {
    pub(crate) fn of_image(&self, _: usize) -> Result<[DeviceBytes; 2], String> {
        match self.0 {}
    }
}

impl ReadBack {
    pub(crate) fn add(&mut self, bytes: DeviceBytes) -> Range<usize> {
        match bytes.0 {}
    }
    pub(crate) fn start(self) -> Result<(OnItsWay, Mark), String> {
        Err("nothing is on a device".to_owned())
    }
}

impl OnItsWay {
    pub(crate) fn wait(self) -> Result<(HostBytes, Duration), String> {
        match self.0 {}
    }
}

impl HostBytes {
    pub(crate) fn again(&self) -> Self {
        match self.0 {}
    }
    pub(crate) fn part(&self, _: &Range<usize>) -> Result<Self, String> {
        match self.0 {}
    }
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        match self.0 {}
    }
    pub(crate) fn floats(&self) -> Result<Vec<f32>, String> {
        match self.0 {}
    }
}
